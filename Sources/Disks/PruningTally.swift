/// What a run of `disk.prune-snapshots` has done, as the completion event tells it.
struct PruningTally: Encodable, Sendable {
    let disks: Int
    let snapshots: Int
    var tagged_snapshots = 0
    var retention_deleted = 0
    var purged = 0
    var safety_purged = 0
    var kept_in_use = 0
    var errors = 0
    let dry_run: Bool

    /// How many go in one run because of newer ones, and how many because their time has come.
    private static let (mostSuperfluous, mostDue) = (100, 200)

    init(_ inventory: SnapshotInventory, isDryRun: Bool) {
        self.disks = inventory.disks
        self.snapshots = inventory.snapshots
        self.errors = inventory.prunings.values.reduce(0) { $0 + $1.unreadable.count }
        self.dry_run = isDryRun
    }

    var mayDeleteSuperfluous: Bool { self.retention_deleted < Self.mostSuperfluous }
    var mayPurge: Bool { self.purged + self.safety_purged < Self.mostDue }

    /// The same if all went as planned.
    func supposing(_ inventory: SnapshotInventory) -> PruningTally {
        var tally = self
        for pruning in inventory.prunings.values {
            tally.tagged_snapshots += pruning.unmarked.count
            tally.retention_deleted += min(pruning.superfluous.count, Pruning.mostSuperfluous)
            tally.purged += pruning.due.count
            tally.safety_purged += pruning.outdatedCopies.count
        }
        tally.retention_deleted = min(tally.retention_deleted, Self.mostSuperfluous)
        tally.purged = min(tally.purged, Self.mostDue)
        tally.safety_purged = min(tally.safety_purged, Self.mostDue - tally.purged)
        return tally
    }
}
