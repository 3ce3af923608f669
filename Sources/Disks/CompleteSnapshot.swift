import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `disk.complete-snapshot`: waits until a snapshot is complete, or all of a disk, and has the row say so.
///
/// The row is brought up from one listing, so that it says the same however often this is done.
struct CompleteSnapshot: JobHandler {
    static let kind: JobKind = "disk.complete-snapshot"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, Sendable {
        let user: UserID
        let disk: DiskName
        let snapshot: SnapshotID?

        init(from decoder: any Decoder) throws {
            let (user, disk, snapshot) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<SnapshotID?>.optional("snapshot_id")
            )
            self.user = user
            self.disk = disk
            self.snapshot = snapshot
        }
    }

    private struct Completed: Encodable, Sendable {
        let user_id: String
        let disk_name: String
        let snapshot_id: Nullable<String>
        let snapshot_count: Int
        let pending_snapshot_count: Int
        let last_snapshot_at: Nullable<String>
    }

    /// How soon to look again, and how long a snapshot just begun may take to show up.
    private static let patience: Duration = .seconds(15)

    func exclusiveKey(for payload: Payload) -> String? {
        DiskKey(payload.user, payload.disk).description
    }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            return .rejected(.unknownDisk(payload.user, payload.disk))
        }
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
        let wanted = snapshots.all.filter { payload.snapshot == nil || $0.id == payload.snapshot }
        if let id = payload.snapshot, wanted.isEmpty {
            return try await self.missing(id, disk, job)
        }
        if let pending = wanted.first(where: {
            $0.state == .pending && ($0.isKept || payload.snapshot != nil)
        }) {
            try await snapshots.follow(disk, in: self.database)
            let message = "snapshot \(pending.id) is not complete (\(pending.progress))"
            return .snooze(Self.patience, Reason("snapshot-pending", message))
        }
        let update = Write(snapshots.update(of: disk), affecting: 1)
        if payload.snapshot != nil, let failed = wanted.first(where: { $0.state == .error }) {
            let message = "snapshot \(failed.id) ended in error; take another one"
            return .rejected(Reason("snapshot-failed", message), writes: [update])
        }
        return .success(self.success(disk, snapshots, [update]))
    }
}

extension CompleteSnapshot {
    /// The disk has no such snapshot, or not yet.
    private func missing(_ id: SnapshotID, _ disk: Disk, _ job: Job<Payload>) async throws -> Fate {
        if try await self.ec2.snapshot(id, deadline: job.context.deadline) != nil {
            let message = "snapshot \(id) is none of the disk \(disk.name) of \(disk.user) by its tags"
            return .rejected(Reason("foreign-snapshot", message))
        }
        let absence = Reason("InvalidSnapshot.NotFound", "there is no snapshot \(id)")
        return job.context.waited < Self.patience ? .snooze(Self.patience, absence) : .rejected(absence)
    }

    private func success(_ disk: Disk, _ snapshots: DiskSnapshots, _ writes: [Write]) -> Success {
        let (summary, newest) = (snapshots.summary, snapshots.newest)
        return Success(
            subject: disk.subject,
            data: Completed(
                user_id: disk.user,
                disk_name: disk.name,
                snapshot_id: Nullable(newest?.id.rawValue),
                snapshot_count: summary.count,
                pending_snapshot_count: summary.pending,
                last_snapshot_at: Nullable(newest?.startTime.rfc3339)
            ),
            writes: writes
        )
    }
}
