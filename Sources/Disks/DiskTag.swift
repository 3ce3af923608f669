/// The tags by which volumes and snapshots know their disk.
enum DiskTag {
    static let user = "gpu-dev-user"
    static let disk = "disk_name"
    /// Written by older programs, and on safety snapshots.
    static let olderDisk = "disk-name"
    static let name = "Name"
    static let project = "Project"
    static let managedBy = "ManagedBy"
    static let createdAt = "created_at"
    static let lastUsed = "last_used"
    static let snapshotType = "SnapshotType"
    static let olderSnapshotType = "gpu-dev-snapshot-type"
    static let content = "snapshot_content_s3"
    static let usage = "disk_size"
    static let deleteDate = "delete-date"
    static let markedDeletedAt = "marked-deleted-at"
    static let reservation = "reservation_id"
    static let olderReservation = "reservation-id"
    /// When a person said that this volume or snapshot holds the newest data of its disk; a time as in RFC 3339.
    static let newest = "gpu-dev-newest"
    static let quarantined = "gpu-dev-quarantined"
    static let safetySnapshot = "gpu-dev-quarantine-backup"
}
