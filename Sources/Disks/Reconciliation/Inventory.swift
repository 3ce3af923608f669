import AWS
import FoundationEssentials
import Jobs
import Platform

/// All that one run of the reconciliation has read, before it decides anything.
struct Inventory: Sendable {
    /// Every row, deleted ones included.
    let rows: [Disk]
    /// What other jobs are at, as their exclusive keys have it.
    let heldDisks: Set<ExclusiveKey>
    /// Every volume that AWS has listed, whatever its state and tags.
    private(set) var volumes: [VolumeID: Volume]
    /// Nil if the snapshots could not be read.
    let snapshots: SnapshotCensus?
    /// What time it is for PostgreSQL.
    let now: Date

    /// Volumes of which it is not known whether they exist.
    private(set) var unknown: Set<VolumeID> = []

    init(
        rows: [Disk],
        heldDisks: Set<ExclusiveKey> = [],
        volumes: [Volume],
        snapshots: SnapshotCensus?,
        now: Date,
    ) {
        self.rows = rows
        self.heldDisks = heldDisks
        self.volumes = Dictionary(volumes.map { ($0.id, $0) }) { first, _ in first }
        self.snapshots = snapshots
        self.now = now
    }

    func isHeld(_ disk: DiskKey) -> Bool { self.heldDisks.contains(disk.exclusiveKey) }

    /// Volumes that rows name and the listing lacks, where it matters whether they exist.
    ///
    /// The listing has only volumes with the tag of a user; one that has lost it exists all the same. A disk that is
    /// in use may be freed when its volume is gone, and a disk with another live volume may be given that one.
    var volumesInDoubt: [VolumeID] {
        let claimed = Set(
            self.volumes.values.compactMap { $0.isSettled && !$0.isQuarantined ? $0.taggedDisk : nil }
        )
        return self.rows.compactMap { row in
            guard let volume = row.volume, self.volumes[volume] == nil, !row.isDeleted,
                row.isInUse || claimed.contains(row.key)
            else { return nil }
            return volume
        }
    }

    /// Adds volumes that AWS has described by id.
    mutating func add(_ found: [Volume]) {
        for volume in found { self.volumes[volume.id] = volume }
    }

    /// Notes that it could not be found out which of the volumes exist.
    mutating func leaveOpen(_ doubts: [VolumeID]) { self.unknown.formUnion(doubts) }
}
