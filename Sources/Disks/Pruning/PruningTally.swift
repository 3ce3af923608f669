import Jobs
import MetricFamilies
import Metrics
import Platform

/// What a run of `disk.prune-snapshots` has done, as the completion event reports it.
struct PruningTally: EventData {
    let disks: Int
    let snapshots: Int
    var tagged_snapshots = 0
    var retention_deleted = 0
    var purged = 0
    var safety_purged = 0
    var kept_in_use = 0
    /// What was due and is left to later runs: more than a run, or an hour, may delete of its class.
    var deferred = 0
    /// Disks that other jobs were at.
    var held = 0
    /// Disks of which nothing was thinned out, since it is not clear where their newest data is.
    var unclear = 0
    var errors = 0
    let dry_run: Bool

    private let allowance: Allowance

    /// What one run may delete of each class; one class that is at its limit stops no other.
    private struct Allowance: Sendable {
        let superfluous: Int
        let due: Int
        let copies: Int
    }

    /// How many go in one run because of newer ones, and how many because their time has come.
    private static let (mostSuperfluous, mostDue) = (100, 200)

    /// A run for all disks deletes no more than a part of all that there is: it may have misread something.
    init(_ inventory: SnapshotInventory, isOfAll: Bool, isDryRun: Bool) {
        let part = isOfAll ? DestructionLimit.allowance(of: inventory.snapshots) : Int.max
        self.allowance = Allowance(
            superfluous: min(Self.mostSuperfluous, part),
            due: min(Self.mostDue, part),
            copies: min(Self.mostDue, part)
        )
        self.disks = inventory.disks
        self.snapshots = inventory.snapshots
        self.errors = inventory.prunings.values.reduce(0) { $0 + $1.unreadable.count }
        self.dry_run = isDryRun
    }

    var mayDeleteSuperfluous: Bool { self.retention_deleted < self.allowance.superfluous }
    var mayPurge: Bool { self.purged < self.allowance.due }
    var mayPurgeCopies: Bool { self.safety_purged < self.allowance.copies }

    /// The same if all went as planned.
    func supposing(_ inventory: SnapshotInventory) -> PruningTally {
        var tally = self
        for pruning in inventory.prunings.values {
            tally.tagged_snapshots += pruning.unmarked.count
            tally.retention_deleted += min(pruning.superfluous.count, Pruning.mostSuperfluous)
            tally.purged += pruning.due.count
            tally.safety_purged += pruning.outdatedCopies.count
        }
        let all = tally.retention_deleted + tally.purged + tally.safety_purged
        tally.retention_deleted = min(tally.retention_deleted, self.allowance.superfluous)
        tally.purged = min(tally.purged, self.allowance.due)
        tally.safety_purged = min(tally.safety_purged, self.allowance.copies)
        tally.deferred = all - tally.retention_deleted - tally.purged - tally.safety_purged
        return tally
    }

    private static let deferredSnapshots = GaugeFamily(
        "gpudev_prune_deferred_snapshots",
        "Snapshots that the last disk.prune-snapshots of this replica left to later runs."
    )

    /// Sets the gauge to zero, so that it is there before the first run.
    static func beginReporting() { Self.deferredSnapshots().set(0) }

    /// Sets the gauge to what is left to later runs.
    func report() { Self.deferredSnapshots().set(self.deferred) }

    static let shape = EventShape<PruningTally>(
        .field("disks", "Disks that were looked at.") { $0.disks },
        .field("snapshots", "Snapshots that were looked at.") { $0.snapshots },
        .field(
            "tagged_snapshots",
            "Snapshots of deleted disks that carry their day now."
        ) { $0.tagged_snapshots },
        .field("retention_deleted", "Deleted because newer ones are enough.") { $0.retention_deleted },
        .field("purged", "Deleted because their disk's day has passed.") { $0.purged },
        .field(
            "safety_purged",
            "Safety copies of quarantined volumes that were deleted."
        ) { $0.safety_purged },
        .field("kept_in_use", "Kept since an image uses them.") { $0.kept_in_use },
        .field(
            "deferred",
            "Due, and left to later runs: more than one run, or an hour, may delete of its class."
        ) { $0.deferred },
        .field("held", "Disks that were passed over since other jobs were at them.") { $0.held },
        .field(
            "unclear",
            """
            Disks of which no snapshot was thinned out, since it is unclear where their newest data \
            is.
            """
        ) { $0.unclear },
        .field("errors", "What could not be read or deleted; the log says more.") { $0.errors },
        .dryRun { $0.dry_run }
    )
}
