import AWS
import FoundationEssentials
import Postgres

/// One column of a disk's row that AWS knows better.
enum DiskChange: Sendable {
    case volume(VolumeID)
    case size(Int)
    case isInUse(Bool)
    case snapshotCount(Int)
    case pendingSnapshots(Int)
    case lastSnapshot(Date)

    /// The column as the completion event names it.
    var column: String {
        switch self {
        case .volume: "ebs_volume_id"
        case .size: "size_gb"
        case .isInUse: "in_use"
        case .snapshotCount: "snapshot_count"
        case .pendingSnapshots: "is_backing_up"
        case .lastSnapshot: "last_snapshot_at"
        }
    }

    var assignment: SQL {
        switch self {
        case .volume(let id): "ebs_volume_id = \(id.rawValue)"
        case .size(let size): "size_gb = \(size)"
        case .isInUse(let isInUse): "in_use = \(isInUse)"
        case .snapshotCount(let count): "snapshot_count = \(count)"
        case .pendingSnapshots(let count): "is_backing_up = \(count > 0), pending_snapshot_count = \(count)"
        case .lastSnapshot(let date): "last_snapshot_at = greatest(\(date), last_snapshot_at)"
        }
    }
}
