import AWS
import FoundationEssentials
import Jobs
import Postgres

/// The snapshots of one disk, as one listing has them; safety copies are none of them.
struct DiskSnapshots: Sendable {
    let all: [Snapshot]

    /// - Parameter snapshots: Those that carry the tags of the disk, in any order.
    init(_ snapshots: [Snapshot]) {
        self.all = snapshots.filter { $0.tags[DiskTag.safetySnapshot] == nil }
    }

    init(of disk: DiskKey, in ec2: EC2Client, deadline: ContinuousClock.Instant) async throws(AWSError) {
        self.init(
            try await ec2.describeSnapshots(
                matching: [.tag(DiskTag.user, disk.user), .tag(DiskTag.disk, disk.name)],
                deadline: deadline
            )
        )
    }

    var summary: SnapshotSummary { SnapshotSummary(self.all) }

    /// The one that holds the disk's data: complete, not to be deleted, and begun last.
    var newest: Snapshot? {
        self.all.filter { $0.isKept && $0.state == .completed }.max { $0.isOlder(than: $1) }
    }

    /// Those under way that will hold the disk's data.
    var pending: [Snapshot] { self.all.filter { $0.isKept && $0.state == .pending } }

    /// Those that ended in error after the newest good one had begun.
    var recentFailures: [Snapshot] {
        self.all.filter { failed in failed.state == .error && self.newest?.isOlder(than: failed) ?? true }
    }

    /// Brings the row up to what the listing says.
    ///
    /// What a snapshot says of its contents counts if it is the newest complete one. The time of the newest that there
    /// ever was stays: without it nobody would know that it is missing.
    func update(of disk: Disk) -> SQL {
        let (summary, newest) = (self.summary, self.newest)
        return """
            UPDATE disks SET snapshot_count = \(summary.count), pending_snapshot_count = \(summary.pending),
                is_backing_up = \(summary.pending > 0),
                last_snapshot_at = greatest(\(summary.newest)::timestamptz, last_snapshot_at),
                latest_snapshot_content_s3 = coalesce(\(newest?.tags[DiskTag.content])::text, latest_snapshot_content_s3),
                disk_size = coalesce(\(newest?.tags[DiskTag.usage])::text, disk_size)
            WHERE disk_id = \(disk.id)
            """
    }

    /// Brings the row up now, in the middle of a job, if it says anything else.
    func follow(_ disk: Disk, in database: PostgresPool) async throws {
        let summary = self.summary
        guard disk.snapshotCount != summary.count || disk.isBackingUp != (summary.pending > 0) else { return }
        _ = try await database.run(self.update(of: disk))
    }
}

extension Snapshot {
    /// Of two whose data is of one time the one with the greater id is the newer.
    func isOlder(than other: Snapshot) -> Bool {
        (self.dataTime, self.id.rawValue) < (other.dataTime, other.id.rawValue)
    }

    /// The disk that the tags name.
    var disk: DiskKey? {
        guard let user = self.tags[DiskTag.user],
            let name = self.tags[DiskTag.disk] ?? self.tags[DiskTag.olderDisk]
        else { return nil }
        return DiskKey(user: user, name: name)
    }
}
