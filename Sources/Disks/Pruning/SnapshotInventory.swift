import AWS
import FoundationEssentials
import Jobs

/// The snapshots of all disks, or of one, and what is to become of them.
struct SnapshotInventory: Sendable {
    /// How many snapshots and rows were looked at.
    let snapshots: Int
    let disks: Int

    let prunings: [DiskKey: Pruning]

    init(
        _ listing: [Snapshot],
        of rows: [Disk],
        only disk: DiskKey? = nil,
        at now: Date,
        _ retention: DiskRetention = DiskRetention(),
    ) {
        var ofDisks: [DiskKey: [Snapshot]] = [:]
        var count = 0
        for snapshot in listing {
            // One that names no disk is nobody's to delete.
            guard let key = snapshot.disk, disk == nil || key == disk else { continue }
            ofDisks[key, default: []].append(snapshot)
            count += 1
        }
        let rows = Dictionary(rows.map { ($0.key, $0) }) { first, _ in first }
        self.snapshots = disk == nil ? listing.count : count
        self.disks = rows.count
        self.prunings = Dictionary(
            uniqueKeysWithValues: Set(ofDisks.keys).union(rows.keys).map { key in
                (key, Pruning(ofDisks[key] ?? [], of: rows[key], at: now, retention))
            }
        )
    }
}
