import FoundationEssentials
import Jobs
import MetricFamilies
import Metrics

/// What one run of the reconciliation found and did, as the completion event reports it.
///
/// In a dry run the fields about deeds count what would have been done.
struct ReconcileStatistics: EventData, Equatable {
    /// Volumes that AWS listed.
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
    /// Disks of which it is unclear where their newest data is: sources disagree, and a person must decide.
    var unclear_disks = 0
    /// Snapshots of disks that live which were marked for deletion, and are not any more.
    var unmarked_snapshots = 0
    /// What was due and is left to later runs, since so much at once may have been misread.
    var deferred = 0
    var skipped_concurrent_run = false
    var is_partial = false
    var dry_run = false

    static let shape = EventShape<ReconcileStatistics>(
        .field("aws_volumes", "Volumes that AWS has.") { $0.aws_volumes },
        .field("db_records", "Disks that PostgreSQL has, deleted ones included.") { $0.db_records },
        .field("synced", "Rows that were right.") { $0.synced },
        .field("updated", "Rows that were mended.") { $0.updated },
        .field("created", "Rows that were made for volumes without one.") { $0.created },
        .field("errors", "What could not be done; the log says more.") { $0.errors },
        .field("volume_id_conflicts", "Rows whose other volume still exists.") { $0.volume_id_conflicts },
        .field("aws_duplicates", "Disks with two or more live volumes.") { $0.aws_duplicates },
        .field("quarantined_volumes", "Volumes put into quarantine.") { $0.quarantined_volumes },
        .field(
            "skipped_duplicates",
            "Volumes that are not the current one of their disk."
        ) { $0.skipped_duplicates },
        .field(
            "unresolved_duplicates",
            "Disks whose volumes a person must tell apart."
        ) { $0.unresolved_duplicates },
        .field("orphaned_db_active", "Rows of live disks whose volume is gone.") { $0.orphaned_db_active },
        .field(
            "orphaned_db_deleted",
            "Rows of deleted disks whose volume is gone."
        ) { $0.orphaned_db_deleted },
        .field("deleted_disk_volumes", "Volumes of deleted disks.") { $0.deleted_disk_volumes },
        .field("ignored_volumes", "Volumes whose tags name no disk.") { $0.ignored_volumes },
        .field(
            "transient_skipped",
            "Rows that another job holds or that changed meanwhile."
        ) { $0.transient_skipped },
        .field("cleanup_quarantined_found", "Volumes in quarantine.") { $0.cleanup_quarantined_found },
        .field("cleanup_deleted", "Volumes deleted after quarantine.") { $0.cleanup_deleted },
        .field(
            "cleanup_skipped_too_recent",
            "Volumes not long enough in quarantine."
        ) { $0.cleanup_skipped_too_recent },
        .field(
            "cleanup_waiting_snapshot",
            "Volumes whose safety copy is not complete yet."
        ) { $0.cleanup_waiting_snapshot },
        .field(
            "cleanup_snapshots_deleted",
            "Safety copies deleted after the time for which they are kept."
        ) { $0.cleanup_snapshots_deleted },
        .field(
            "unclear_disks",
            "Disks of which it is unclear where their newest data is, so that a person must decide."
        ) { $0.unclear_disks },
        .field(
            "unmarked_snapshots",
            "Snapshots of disks that live which were marked for deletion, and are not any more."
        ) { $0.unmarked_snapshots },
        .field(
            "deferred",
            "Due, and left to later runs: more than one run may touch of its class."
        ) { $0.deferred },
        .field(
            "skipped_concurrent_run",
            "Whether nothing was done because another run was under way."
        ) { $0.skipped_concurrent_run },
        .field(
            "is_partial",
            "Whether the time was up before all was done; the next run goes on."
        ) { $0.is_partial },
        .dryRun { $0.dry_run }
    )
}

extension ReconcileStatistics {
    private static let items = GaugeFamily(
        "gpudev_reconcile_items",
        "What the last disk.reconcile-all of this replica found and did."
    )
    private static let lastRun = GaugeFamily(
        "gpudev_reconcile_last_run_timestamp_seconds",
        "When that run ended."
    )

    /// Sets the gauges after a run that went through all disks and was no dry run.
    func report() {
        guard !self.dry_run, !self.skipped_concurrent_run else { return }
        for (name, value) in Mirror(reflecting: self).children {
            guard let name, let number = value as? Int else { continue }
            Self.items([("statistic", name)]).set(number)
        }
        Self.lastRun().set(Date().timeIntervalSince1970)
    }
}
