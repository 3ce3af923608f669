import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `disk.create-snapshot`: takes a snapshot of a disk's volume, once for each job.
///
/// Nothing is ever deleted here, whatever is found missing.
struct CreateSnapshot: JobHandler {
    static let kind: JobKind = "disk.create-snapshot"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, Sendable {
        let user: UserID
        let disk: DiskName
        let volume: VolumeID?
        let type: SnapshotType
        let reservation: ReservationID?
        let content: ContentURI?
        let usage: DiskUsage?

        init(from decoder: any Decoder) throws {
            let (user, disk, volume, type, reservation, content, usage) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<VolumeID?>.optional("volume_id"),
                PayloadField<SnapshotType?>.optional("snapshot_type"),
                PayloadField<ReservationID?>.optional("reservation_id"),
                PayloadField<ContentURI?>.optional("content_s3_uri"),
                PayloadField<DiskUsage?>.optional("disk_size")
            )
            self.user = user
            self.disk = disk
            self.volume = volume
            self.type = type ?? .shutdown
            self.reservation = reservation
            self.content = content
            self.usage = usage
        }
    }

    private struct Taken: Encodable, Sendable {
        let snapshot_id: String
        let volume_id: String
        let user_id: String
        let disk_name: String
        let created: Bool
    }

    /// How long to wait for a pending snapshot that began too early, and for one to show up that may have been begun.
    private static let patience: Duration = .seconds(15)

    func exclusiveKey(for payload: Payload) -> String? { DiskKey(payload.user, payload.disk).description }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            return .rejected(.unknownDisk(payload.user, payload.disk))
        }
        if let refusal = self.refusal(disk, payload) { return .rejected(refusal) }
        guard let volumeID = payload.volume ?? disk.volume else {
            let message =
                "the disk has no volume now, so there is nothing to take; name volume_id if there is one"
            return .rejected(Reason("no-volume", message))
        }
        let deadline = job.context.deadline
        guard let volume = try await self.ec2.volume(volumeID, deadline: deadline) else {
            return .rejected(Reason("InvalidVolume.NotFound", "there is no volume \(volumeID) any more"))
        }
        if let refusal = self.refusal(volume, payload) { return .rejected(refusal) }
        if job.context.followsUnsettledStart, try await self.ownSnapshots(of: volume, for: job).isEmpty {
            let message = "an earlier start may have begun a snapshot that does not show yet"
            return .snooze(Self.patience, Reason("start-unsettled", message))
        }
        if let earlier = try await self.earlierSnapshot(of: volume, for: job) {
            let message =
                "snapshot \(earlier) may have begun before the last writes; a new one is taken when it is done"
            return .snooze(Self.patience, Reason("snapshot-pending", message))
        }
        return .success(try await self.success(try await self.take(volume, for: job), disk, job))
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

    private func refusal(_ volume: Volume, _ payload: Payload) -> Reason? {
        let (owner, name) = (volume.tags[DiskTag.user], volume.diskName)
        guard owner.map({ $0 == payload.user.description }) ?? true,
            name.map({ $0 == payload.disk.description }) ?? true
        else {
            let message = "volume \(volume.id) belongs to disk \(name ?? "?") of \(owner ?? "?") by its tags"
            return Reason("foreign-volume", message)
        }
        return nil
    }

    /// A pending snapshot that somebody else began; nil if this job's own is among them.
    ///
    /// It is never as good as a new one: AWS does not tell when a volume was detached, so the last writes may have come
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
            data: Taken(
                snapshot_id: snapshot.id.rawValue,
                volume_id: snapshot.volumeID.rawValue,
                user_id: disk.user,
                disk_name: disk.name,
                created: snapshot.tags[EC2Client.operationTag] == job.id.description
            ),
            writes: [Write(snapshots.update(of: disk), affecting: 1)]
        )
    }
}
