import AWS
import FoundationEssentials

/// What a disk's row says of its snapshots, counted from AWS and never by increments.
struct SnapshotSummary: Sendable, Equatable {
    /// Completed and pending ones, without those that are to be deleted and safety copies.
    var count = 0
    var pending = 0
    /// When the newest completed one was begun.
    var newest: Date?

    init() {}

    init(_ snapshots: [Snapshot]) {
        for snapshot in snapshots where snapshot.isKept { self.add(snapshot) }
    }

    /// Counts one that is completed or pending.
    mutating func add(_ snapshot: Snapshot) {
        switch snapshot.state {
        case .completed: self.newest = max(self.newest ?? snapshot.startTime, snapshot.startTime)
        case .pending: self.pending += 1
        default: return
        }
        self.count += 1
    }
}

extension Snapshot {
    /// Whether it is one of the disk's own: neither a safety copy nor one that is to be deleted.
    var isKept: Bool {
        self.tags[DiskTag.deleteDate] == nil && self.tags[DiskTag.safetySnapshot] == nil
    }
}
