import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.delete`: marks a disk as deleted, and its snapshots with the day from which they may be purged.
///
/// The row comes first: a snapshot that is marked while its disk lives would be lost on that day.
struct DeleteDisk: JobHandler {
    static let kind: JobKind = "disk.delete"

    let database: PostgresPool
    let ec2: EC2Client
    let retention: DiskRetention

    struct Payload: DryRunPayload {
        let user: UserID
        let disk: DiskName
        let date: Day?
        let operation: OperationID?
        let isDryRun: Bool

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .optional(
                "delete_date",
                """
                The day from which the data may be purged; in thirty days when left out. A day that comes \
                sooner than the least retention lets it is moved to the first that it lets.
                """
            ),
            .operation,
            .dryRun
        )
    }

    struct Event: EventData {
        let user: String
        let disk: String
        let date: Day
        let taggedSnapshots: Int
        let snapshot: SnapshotID?
        let volume: VolumeID?
        let isDryRun: Bool

        static let shape = EventShape<Event>(
            .owner { $0.user },
            .disk { $0.disk },
            .field(
                "delete_date",
                "The day from which the data may be purged, YYYY-MM-DD in UTC.",
                as: Day.schema
            ) { $0.date.description },
            .field("tagged_snapshots", "Snapshots that carry the day now.") { $0.taggedSnapshots },
            .nullable(
                "snapshot_id",
                "A last snapshot of a volume that was left over.",
                as: SnapshotID.schema
            ) { $0.snapshot?.rawValue },
            .nullable(
                "volume_id",
                "The left-over volume, which was deleted.",
                as: VolumeID.schema
            ) { $0.volume?.rawValue },
            .dryRun { $0.isDryRun }
        )
    }

    /// How long the data is kept where nothing else is said, in days.
    private static let usualTerm = 30

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func writesOnDeath(of payload: Payload, because reason: Reason) -> [Write] {
        guard !payload.isDryRun else { return [] }
        let disk = DiskKey(payload.user, payload.disk)
        return DiskOperation.failure(of: payload.operation, disk, because: reason)
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            throw Conclusion.rejected(.unknownDisk(payload.user, payload.disk))
        }
        guard !job.isDryRun else { return try await self.delete(disk, job) }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            try await self.delete(disk, job)
        }
    }
}

extension DeleteDisk {
    private func delete(_ disk: Disk, _ job: Job<Payload>) async throws -> Success {
        let deadline = job.context.deadline
        let (volumes, snapshots) = try await NewestState.sources(
            of: disk,
            in: self.ec2,
            self.database,
            deadline: deadline
        )
        let now = try await self.database.now()
        let wish = job.payload.date ?? disk.dueDate ?? Day(of: now).adding(days: Self.usualTerm)
        if let refusal = self.refusal(disk, wish, volumes, snapshots, at: now) {
            throw Conclusion.rejected(refusal)
        }
        if let doubt = self.doubt(disk, volumes, snapshots, job) {
            throw doubt.conclusion(in: Self.kind, of: disk, isDryRun: job.isDryRun)
        }
        let date = max(wish, self.retention.earliestDay(ofDeletion: disk.markedDeleted ?? now))
        guard !job.isDryRun else {
            let count = snapshots.all.count
            return self.success(disk, date, tagged: count, nil, volumes.live.first?.id, job)
        }
        guard try await self.mark(disk, date) else {
            throw Conclusion.retry(Reason("row-changed", "the disk was free a moment ago"))
        }
        return try await self.follow(disk, date, volumes, snapshots, job, at: now)
    }

    private func refusal(
        _ disk: Disk,
        _ date: Day,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        at now: Date,
    ) -> Reason? {
        if let foreign = volumes.live.lazy.compactMap({ $0.refusal(as: disk) }).first { return foreign }
        if !disk.isDeleted, let reason = disk.reasonForUnrest(volumes, snapshots) { return reason }
        guard date >= Day(of: now) || date == disk.dueDate else {
            return Reason("delete-date-past", "\(date) is over; name today or a later day")
        }
        return nil
    }

    /// Whether the last snapshots of several volumes, or of an old one, would hide which data is the newest.
    private func doubt(
        _ disk: Disk,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ job: Job<Payload>,
    ) -> Doubt? {
        let state = NewestState(of: disk, volumes, snapshots, for: .pruning, job: job.id)
        guard !volumes.live.isEmpty, case .unclear(let doubt) = state.finding else { return nil }
        return doubt
    }

    /// Makes the row say so; false if the disk has come into use.
    private func mark(_ disk: Disk, _ date: Day) async throws -> Bool {
        let marked = try await self.database.run(
            """
            UPDATE disks SET is_deleted = true, delete_date = \(date.description)::date,
                in_use = false, reservation_id = NULL
            WHERE disk_id = \(disk.id) AND in_use IS NOT TRUE AND coalesce(is_deleted, false) = \(disk.isDeleted)
            """
        )
        return marked.affectedRows == 1
    }

    /// What belongs to the disk follows the row: its snapshots, and a volume that was left over.
    private func follow(
        _ disk: Disk,
        _ date: Day,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ job: Job<Payload>,
        at now: Date,
    ) async throws -> Success {
        let unmarked = snapshots.all.filter { $0.tags[DiskTag.deleteDate] != date.description }
        let tags = SnapshotLabel.tags(deleting: date, at: now)
        try await self.ec2.createTags(tags, on: unmarked.map(\.id), deadline: job.context.deadline)
        let label = SnapshotLabel(
            user: job.payload.user,
            disk: job.payload.disk,
            type: .shutdown,
            deleteDate: date
        )
        let copy = FinalSnapshot(of: label, for: job, in: self.ec2)
        let deletion = VolumeDeletion(ec2: self.ec2, disk: disk, context: job.context)
        for volume in volumes.live {
            let snapshot = try await copy.completed(of: volume, after: snapshots)
            let reason = "its disk is deleted, and its data is in \(snapshot.id)"
            try await deletion.delete(volume.id, because: reason)
        }
        let after = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
        let last = after.all.last { $0.tags[EC2Client.operationTag] == job.id.description }
        let forget = Write("UPDATE disks SET ebs_volume_id = NULL WHERE disk_id = \(disk.id)")
        let count = after.all.count { $0.tags[DiskTag.deleteDate] == date.description }
        return self.success(disk, date, tagged: count, last?.id, last?.volumeID, job, [forget])
    }

    private func success(
        _ disk: Disk,
        _ date: Day,
        tagged: Int,
        _ snapshot: SnapshotID?,
        _ volume: VolumeID?,
        _ job: Job<Payload>,
        _ writes: [Write] = [],
    ) -> Success {
        Success(
            subject: disk.subject,
            data: Event(
                user: disk.user,
                disk: disk.name,
                date: date,
                taggedSnapshots: tagged,
                snapshot: snapshot,
                volume: volume,
                isDryRun: job.isDryRun
            ),
            writes: writes
        )
    }
}

extension Disk {
    /// The day from which its data may be purged; nil while it lives.
    var dueDate: Day? { self.isDeleted ? self.deleteDate : nil }
}

extension DeleteDisk {
    static let documentation = KindDocumentation(
        "Delete a disk softly",
        summary: "soft-deletes a disk, with a purge date",
        """
        Marks the disk as deleted and its snapshots with the day from which they may be purged. A disk in \
        use is left alone.
        """,
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home"],
            ["user_id": "alice@example.com", "disk_name": "home", "delete_date": "2027-01-31"],
        ],
        authority: .init(
            sentBy: "user's own service",
            canHarm: "ends a disk's data on its day",
            undoneBy: "`disk.undelete` until that day, recycle bin after",
            provedBy: """
                row of that user and name; tags of each snapshot; at least `DISK_MINIMUM_RETENTION`
                """
        ),
        event: .init(
            "A disk is deleted softly",
            "The data of disk.delete.completed.",
            examples: [
                [
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "delete_date": "2027-01-31",
                    "tagged_snapshots": 3,
                    "snapshot_id": nil,
                    "volume_id": nil,
                    "dry_run": false,
                ]
            ]
        )
    )
}
