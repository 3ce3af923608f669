import AWS
import FoundationEssentials
import Jobs

/// What a row is to become, on condition that it is still as it was read.
struct RowChange: Sendable {
    let row: Disk
    let changes: [DiskChange]
}

/// A live volume whose disk has no row.
struct DiskImport: Sendable {
    let disk: DiskKey
    let volume: Volume
    /// Nil if the snapshots could not be read.
    let snapshots: SnapshotSummary?
}
