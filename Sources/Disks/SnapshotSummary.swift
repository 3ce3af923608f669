import AWS
import FoundationEssentials

/// What a disk's row says of its snapshots, counted from AWS and never by increments.
struct SnapshotSummary: Sendable, Equatable {
    /// Completed and pending ones, without those that are to be deleted and safety copies.
    let count: Int
    let pending: Int
    /// When the newest completed one was begun.
    let newest: Date?

    init(_ snapshots: [Snapshot]) {
        let counted = snapshots.filter { snapshot in
            snapshot.tags[DiskTag.deleteDate] == nil && snapshot.tags[DiskTag.safetySnapshot] == nil
                && [.completed, .pending].contains(snapshot.state)
        }
        self.count = counted.count
        self.pending = counted.count { $0.state == .pending }
        self.newest = counted.filter { $0.state == .completed }.map(\.startTime).max()
    }

    /// Reads the snapshots of a disk.
    init(user: String, disk: String, in ec2: EC2Client, deadline: ContinuousClock.Instant)
        async throws(AWSError)
    {
        self.init(
            try await ec2.describeSnapshots(
                matching: [.tag(DiskTag.user, user), .tag(DiskTag.disk, disk)],
                deadline: deadline
            )
        )
    }
}
