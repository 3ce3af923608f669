import AWS
import FoundationEssentials

extension Disk {
    /// What of the row must change to agree with its volume; empty if they agree.
    ///
    /// - Parameters:
    ///   - volume: The current volume of the disk, whether the row names it already or not.
    ///   - snapshots: The disk's snapshots; nil if they are not known, and then their columns stay as they are.
    /// - Returns: A change for each column that differs. A disk that somebody holds is not freed: its release is to take the
    ///   last snapshot, and comes when the volume is off already.
    func changes(following volume: Volume, _ snapshots: SnapshotSummary?) -> [DiskChange] {
        var changes: [DiskChange] = []
        if self.volume != volume.id { changes.append(.volume(volume.id)) }
        if self.size != volume.size { changes.append(.size(volume.size)) }
        if self.isInUse != volume.isAttached, volume.isAttached || self.isNobodys {
            changes.append(.isInUse(volume.isAttached))
        }
        guard let snapshots else { return changes }
        if self.snapshotCount != snapshots.count { changes.append(.snapshotCount(snapshots.count)) }
        if self.isBackingUp != (snapshots.pending > 0) {
            changes.append(.pendingSnapshots(snapshots.pending))
        }
        if let newest = snapshots.newest, !self.hasLastSnapshot(since: newest) {
            changes.append(.lastSnapshot(newest))
        }
        return changes
    }

    /// Whether nobody holds the disk, or is just taking it.
    var isNobodys: Bool { self.holder == nil && !self.isBeingTaken }

    /// AWS counts milliseconds, PostgreSQL microseconds; `Date` has neither exactly.
    ///
    /// A time that is later stays: it says that a snapshot is missing.
    private func hasLastSnapshot(since time: Date) -> Bool {
        self.lastSnapshot.map { $0.timeIntervalSince(time) > -0.000_5 } ?? false
    }
}
