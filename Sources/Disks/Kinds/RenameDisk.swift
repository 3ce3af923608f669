import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.rename`: another name for a disk that nobody uses: for its volume, its snapshots, and last for its row.
///
/// The row gets the name together with the job's success. Until then what AWS has is marked with the job's id as it is
/// moved, so that a repetition knows it again: it goes on where the new name is still free and the disk at rest, and else
/// moves all of it back. A disk whose snapshots have moved ahead of its row is handed out to nobody, since the row
/// knows of a snapshot that is not found.
struct RenameDisk: JobHandler {
    static let kind: JobKind = "disk.rename"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let newName: DiskName
        let operation: OperationID?

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .required(
                "new_name",
                "The name that the disk is to have; no other disk of the user's may have it."
            ),
            .operation
        )
    }

    struct Event: EventData {
        let user: String
        let disk: String
        let newName: String
        let volumes: Int
        let snapshots: Int

        static let shape = EventShape<Event>(
            .owner { $0.user },
            .disk { $0.disk },
            .field("new_name", "The name that the disk has now.", as: DiskName.schema) { $0.newName },
            .field("volumes", "Volumes that carry the new name now.") { $0.volumes },
            .field("snapshots", "Snapshots that carry the new name now, safety copies among them.") {
                $0.snapshots
            }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func writesOnDeath(of payload: Payload, because reason: Reason) -> [Write] {
        DiskOperation.failure(of: payload.operation, DiskKey(payload.user, payload.disk), because: reason)
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            throw Conclusion.rejected(.unknownDisk(payload.user, payload.disk))
        }
        guard payload.newName != payload.disk else {
            return Success(subject: disk.subject, data: self.event(disk, job, volumes: 0, snapshots: 0))
        }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            try await self.rename(disk, job)
        }
    }
}

extension RenameDisk {
    private func rename(_ disk: Disk, _ job: Job<Payload>) async throws -> Success {
        let deadline = job.context.deadline
        let volumes = try await DiskVolumes(of: disk, in: self.ec2, self.database, deadline: deadline)
        let named = try await self.named(job, deadline)
        let snapshots = DiskSnapshots(named.old.snapshots.filter { $0.tags[DiskTag.disk] == disk.name })
        if let refusal = try await self.refusal(disk, volumes, snapshots, named, job) {
            try await self.move(named.moved, to: disk.name, for: job)
            throw Conclusion.rejected(refusal)
        }
        guard !job.context.isDryRun else {
            throw Conclusion.rejected(
                Reason("dry-run", "the disk would be renamed now, but the worker runs dry")
            )
        }
        let newName = job.payload.newName.description
        let things = named.old + named.moved
        // The disk lives, and under a name that no row has yet a mark of a deletion would be due.
        try await self.ec2.unmark(things.snapshots.filter(\.isMarked).map(\.id), deadline: deadline)
        try await self.note(things.snapshots, in: disk)
        try await self.move(things, to: newName, for: job)
        let update: SQL = """
            UPDATE disks SET disk_name = \(newName)
            WHERE disk_id = \(disk.id) AND disk_name = \(disk.name)
                AND in_use IS NOT TRUE AND is_deleted IS NOT TRUE AND is_backing_up IS NOT TRUE
            """
        return Success(
            subject: disk.subject,
            data: self.event(disk, job, volumes: things.volumes.count, snapshots: things.snapshots.count),
            writes: [Write(update, affecting: 1)]
        )
    }

    private func event(_ disk: Disk, _ job: Job<Payload>, volumes: Int, snapshots: Int) -> Event {
        let newName = job.payload.newName.description
        return Event(
            user: disk.user,
            disk: disk.name,
            newName: newName,
            volumes: volumes,
            snapshots: snapshots
        )
    }

    private func refusal(
        _ disk: Disk,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ named: Named,
        _ job: Job<Payload>,
    ) async throws -> Reason? {
        if disk.isDeleted { return .deleted(disk) }
        if let reason = disk.reasonForUnrest(volumes, snapshots) { return reason }
        if let foreign = volumes.live.lazy.compactMap({ $0.refusal(as: disk) }).first { return foreign }
        if let stray = volumes.live.first(where: { $0.id != disk.volume }) {
            let message =
                "volume \(stray.id) carries the disk's name, and its row does not name it: reconcile the disk first"
            return Reason("unknown-volume", message)
        }
        let newName = job.payload.newName
        if let other = try await Disk.find(job.payload.user, newName, in: self.database) {
            let state =
                other.isDeleted
                ? "had a disk \(newName), which is deleted and" : "has a disk \(newName) already;"
            return Reason("disk-exists", "\(other.user) \(state) take another name")
        }
        guard named.others.isEmpty else {
            let ids = named.others.sorted().prefix(5).joined(separator: ", ")
            let message =
                "\(ids) of the user's carry the name \(newName), though no disk has it; take another name"
            return Reason("name-has-data", message)
        }
        return nil
    }
}

extension RenameDisk {
    /// The tag that says which job has moved a volume or a snapshot to its name.
    private static let mark = "gpu-dev-renamed-by"

    /// Volumes and snapshots of one name.
    private struct Things: Sendable {
        let volumes: [Volume]
        let snapshots: [Snapshot]

        static func + (some: Things, others: Things) -> Things {
            Things(volumes: some.volumes + others.volumes, snapshots: some.snapshots + others.snapshots)
        }
    }

    /// What AWS has of the user's under the old name and under the new one.
    private struct Named: Sendable {
        let old: Things
        /// Under the new name, by this very job.
        let moved: Things
        /// The ids of what is under the new name otherwise.
        let others: [String]
    }

    private func named(_ job: Job<Payload>, _ deadline: ContinuousClock.Instant) async throws -> Named {
        let (payload, user) = (job.payload, job.payload.user.description)
        let volumes = try await self.ec2.describeVolumes(
            matching: [.tag(DiskTag.user, user)],
            deadline: deadline
        )
        .filter { $0.state != .deleting && $0.state != .deleted }
        let snapshots = try await self.ec2.describeSnapshots(
            matching: [.tag(DiskTag.user, user)],
            deadline: deadline
        )
        let of = { (name: DiskName) in
            Things(
                volumes: volumes.filter { $0.diskName == name.description },
                snapshots: snapshots.filter { $0.disk?.name == name.description }
            )
        }
        let new = of(payload.newName)
        let isOwn = { (tags: Tags) in tags[Self.mark] == job.id.description }
        return Named(
            old: of(payload.disk),
            moved: Things(
                volumes: new.volumes.filter { isOwn($0.tags) },
                snapshots: new.snapshots.filter { isOwn($0.tags) }
            ),
            others: new.volumes.filter { !isOwn($0.tags) }.map(\.id.rawValue)
                + new.snapshots.filter { !isOwn($0.tags) }.map(\.id.rawValue)
        )
    }

    /// Has the row count the snapshots, so that the disk does not pass for an empty one while they are elsewhere.
    private func note(_ snapshots: [Snapshot], in disk: Disk) async throws {
        let count = snapshots.count(where: \.mayHoldData)
        guard disk.snapshotCount < count else { return }
        _ = try await self.database.run(
            "UPDATE disks SET snapshot_count = \(count) WHERE disk_id = \(disk.id) AND snapshot_count < \(count)"
        )
    }

    /// Gives them a name, the newest snapshots with the first call.
    private func move(_ things: Things, to name: String, for job: Job<Payload>) async throws {
        let deadline = job.context.deadline
        let snapshots = things.snapshots.sorted { $1.isOlder(than: $0) }
        for key in [DiskTag.disk, DiskTag.olderDisk] {
            let tags = [key: name, Self.mark: job.id.description]
            let isNamed = { (tags: Tags) in tags[key] != nil }
            try await self.ec2.createTags(
                tags,
                on: snapshots.filter { isNamed($0.tags) }.map(\.id),
                deadline: deadline
            )
            try await self.ec2.createTags(
                tags,
                on: things.volumes.filter { isNamed($0.tags) }.map(\.id),
                deadline: deadline
            )
        }
    }
}

extension RenameDisk {
    static let documentation = KindDocumentation(
        "Rename a disk",
        summary: "gives a disk another name: its row, its volume and all its snapshots",
        """
        Gives a disk that nobody uses another name, which no other disk of the user's may have: its volume and all \
        its snapshots first, and then its row. A disk in use, being backed up or deleted, and a name that is taken, make \
        the job dead (rejected).
        """,
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home", "new_name": "training"]
        ],
        authority: .init(
            sentBy: "user's own service",
            canHarm: "nothing: a disk is found under another name",
            undoneBy: "`disk.rename`",
            provedBy: "row of that user and name; tags of volumes and snapshots"
        ),
        event: .init(
            "A disk has another name",
            "The data of disk.rename.completed.",
            examples: [
                [
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "new_name": "training",
                    "volumes": 0,
                    "snapshots": 3,
                ]
            ]
        )
    )
}
