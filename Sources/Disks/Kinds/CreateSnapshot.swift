import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.create-snapshot`: takes a snapshot of a disk's volume, once for each job.
///
/// Nothing is ever deleted here, whatever is found missing.
struct CreateSnapshot: JobHandler {
    static let kind: JobKind = "disk.create-snapshot"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let volume: VolumeID?
        let type: SnapshotType
        let reservation: ReservationID?
        let content: ContentURI?
        let usage: DiskUsage?

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .optional("volume_id", "The EBS volume to take it of; the one in the disk's row when left out."),
            .snapshotType,
            .optional(
                "reservation_id",
                """
                The reservation that asks for it. A disk held by another reservation is left alone and \
                the job is dead (rejected).
                """
            ),
            .content,
            .usage
        )
    }

    struct Event: EventData {
        let snapshot: SnapshotID
        let volume: VolumeID
        let user: String
        let disk: String
        let isCreated: Bool

        static let shape = EventShape<Event>(
            .field("snapshot_id", "The EBS snapshot.", as: SnapshotID.schema) { $0.snapshot.rawValue },
            .field(
                "volume_id",
                "The EBS volume that it was taken of.",
                as: VolumeID.schema
            ) { $0.volume.rawValue },
            .owner { $0.user },
            .disk { $0.disk },
            .field(
                "created",
                """
                True: the snapshot carries this job's own tag. A pending one of somebody else is waited \
                for, and a new one taken.
                """
            ) { $0.isCreated }
        )
    }

    /// How long to wait for a pending snapshot that began too early, and for one to show up that may have been begun.
    private static let pollInterval: Duration = .seconds(15)

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            throw Conclusion.rejected(.unknownDisk(payload.user, payload.disk))
        }
        if let refusal = self.refusal(disk, payload) { throw Conclusion.rejected(refusal) }
        guard let volumeID = payload.volume ?? disk.volume else {
            let message =
                "the disk has no volume now, so there is nothing to take; name volume_id if there is one"
            throw Conclusion.rejected(Reason("no-volume", message))
        }
        let deadline = job.context.deadline
        guard let volume = try await self.ec2.volume(volumeID, deadline: deadline) else {
            throw Conclusion.rejected(
                Reason("InvalidVolume.NotFound", "there is no volume \(volumeID) any more")
            )
        }
        if let refusal = self.refusal(volume, of: disk) { throw Conclusion.rejected(refusal) }
        try await self.requireNewestData(on: volume, of: disk, job)
        if job.context.followsUnsettledStart, try await self.ownSnapshots(of: volume, for: job).isEmpty {
            let message = "an earlier start may have begun a snapshot that does not show yet"
            throw Conclusion.snooze(Self.pollInterval, Reason("start-unsettled", message))
        }
        if let earlier = try await self.earlierSnapshot(of: volume, for: job) {
            let message =
                "snapshot \(earlier) may have begun before the last writes; a new one is taken when it is done"
            throw Conclusion.snooze(Self.pollInterval, Reason("snapshot-pending", message))
        }
        return try await self.success(try await self.take(volume, for: job), disk, job)
    }
}

extension CreateSnapshot {
    private func refusal(_ disk: Disk, _ payload: Payload) -> Reason? {
        if disk.isDeleted { return .deleted(disk) }
        if disk.isInUse, let holder = disk.holder, holder != payload.reservation?.description {
            return Reason(
                "disk-in-use",
                "the disk is in use by reservation \(holder), which alone may ask for this"
            )
        }
        return nil
    }

    /// A volume is the disk's if its tags say so; one without tags only if the disk's own row names it.
    private func refusal(_ volume: Volume, of disk: Disk) -> Reason? {
        let (owner, name) = (volume.tags[DiskTag.user], volume.diskName)
        let isNamed = volume.id == disk.volume
        guard owner.map({ $0 == disk.user }) ?? isNamed, name.map({ $0 == disk.name }) ?? isNamed else {
            let message =
                if owner == nil, name == nil {
                    "volume \(volume.id) has no tags of an owner, and the disk's row does not name it"
                } else {
                    "volume \(volume.id) belongs to disk \(name ?? "?") of \(owner ?? "?") by its tags"
                }
            return Reason("foreign-volume", message)
        }
        return nil
    }

    /// Ends the attempt unless the volume holds the newest data: its snapshot would be taken for that.
    private func requireNewestData(on volume: Volume, of disk: Disk, _ job: Job<Payload>) async throws {
        let (state, _, _) = try await NewestState.read(
            of: disk,
            for: .handingOut,
            of: job.payload.reservation,
            job,
            in: self.ec2,
            self.database
        )
        switch state.finding {
        case .volume(let current) where current.id == volume.id: return
        case .unclear(let doubt):
            throw doubt.conclusion(in: Self.kind, of: disk)
        default:
            let message = "volume \(volume.id) is not the current one of the disk"
            throw Conclusion.rejected(Reason("foreign-volume", message))
        }
    }

    /// A pending snapshot that somebody else began; nil if this job's own is among them.
    ///
    /// It is never as good as a new one: AWS does not report when a volume was detached, so the last writes may have come
    /// after it.
    private func earlierSnapshot(of volume: Volume, for job: Job<Payload>) async throws -> SnapshotID? {
        let pending = try await self.ec2.describeSnapshots(
            matching: [.volume(volume.id), .status("pending")],
            deadline: job.context.deadline
        )
        let others = pending.filter { $0.tags[EC2Client.operationTag] != job.id.description }
        guard others.count == pending.count else { return nil }
        return others.max { $0.startTime < $1.startTime }?.id
    }

    private func ownSnapshots(of volume: Volume, for job: Job<Payload>) async throws -> [Snapshot] {
        try await self.ec2.describeSnapshots(
            matching: [.volume(volume.id), .tag(EC2Client.operationTag, job.id.description)],
            deadline: job.context.deadline
        )
    }

    private func take(_ volume: Volume, for job: Job<Payload>) async throws -> Snapshot {
        let payload = job.payload
        let label = SnapshotLabel(
            user: payload.user,
            disk: payload.disk,
            type: payload.type,
            content: payload.content,
            usage: payload.usage
        )
        return try await self.ec2.createSnapshot(
            of: volume.id,
            description: label.description,
            operation: job.id.description,
            tags: label.tags(),
            deadline: job.context.deadline
        )
    }

    private func success(_ snapshot: Snapshot, _ disk: Disk, _ job: Job<Payload>) async throws -> Success {
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
        return Success(
            subject: disk.subject,
            data: Event(
                snapshot: snapshot.id,
                volume: snapshot.volumeID,
                user: disk.user,
                disk: disk.name,
                isCreated: snapshot.tags[EC2Client.operationTag] == job.id.description
            ),
            writes: [Write(snapshots.update(of: disk), affecting: 1)]
        )
    }
}

extension CreateSnapshot {
    static let documentation = KindDocumentation(
        "Take a snapshot of a disk",
        summary: "takes a snapshot of a disk's volume, once",
        """
        Takes one snapshot of the disk's volume and records it as pending. A snapshot that this job took \
        before is found again by its tag gpu-dev-operation.
        """,
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home"],
            [
                "user_id": "alice@example.com",
                "disk_name": "home",
                "volume_id": "vol-0a1b2c3d4e5f60718",
                "snapshot_type": "cancellation",
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "content_s3_uri": "s3://disk-contents/alice%40example.com/home/contents.txt",
                "disk_size": "1.2G",
            ],
        ],
        authority: .init(
            sentBy: "platform, follow-up",
            canHarm: "shows a volume's data to whoever owns the snapshot",
            undoneBy: "delete the snapshot",
            provedBy: """
                tag of the volume is the user's, or no tag and the row names the volume; IAM on the \
                source
                """
        ),
        event: .init(
            "A snapshot was taken",
            "The data of disk.create-snapshot.completed. The snapshot may still be pending.",
            examples: [
                [
                    "snapshot_id": "snap-0a1b2c3d4e5f60718",
                    "volume_id": "vol-0a1b2c3d4e5f60718",
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "created": true,
                ]
            ]
        )
    )
}
