/// What one run of the reconciliation found and did, as the completion event tells it.
///
/// In a dry run the fields about deeds count what would have been done.
struct ReconcileStatistics: Encodable, Sendable, Equatable {
    /// Volumes that AWS told of.
    var aws_volumes = 0
    /// Rows of disks, deleted ones included.
    var db_records = 0
    var synced = 0
    var updated = 0
    var created = 0
    var errors = 0
    /// Rows whose other volume still exists.
    var volume_id_conflicts = 0
    /// Disks with two or more live volumes.
    var aws_duplicates = 0
    var quarantined_volumes = 0
    /// Volumes that are not the current one of their disk.
    var skipped_duplicates = 0
    /// Disks whose volumes a person must tell apart, or the next run.
    var unresolved_duplicates = 0
    var orphaned_db_active = 0
    var orphaned_db_deleted = 0
    /// Live volumes of deleted disks.
    var deleted_disk_volumes = 0
    /// Live volumes whose tags name no disk.
    var ignored_volumes = 0
    /// Disks that another job was at, or whose rows changed meanwhile.
    var transient_skipped = 0
    var cleanup_quarantined_found = 0
    var cleanup_deleted = 0
    var cleanup_skipped_too_recent = 0
    var cleanup_waiting_snapshot = 0
    /// Safety snapshots deleted after their time.
    var cleanup_snapshots_deleted = 0
    var skipped_concurrent_run = false
    var is_partial = false
    var dry_run = false
}
