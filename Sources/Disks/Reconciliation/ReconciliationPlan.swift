import AWS
import FoundationEssentials
import Jobs
import Platform

/// What one run is to do, decided from what was read and from nothing else.
///
/// AWS is right and PostgreSQL follows. Whatever could not be read, or contradicts itself, is left as it is and
/// counted.
struct ReconciliationPlan: Sendable {
    /// What a disk's row needs to agree with its current volume.
    enum RowDecision: Sendable {
        case nothing
        case change(RowChange)
        case bringIn(DiskImport)
    }

    /// A disk with several live volumes, of which all but one go into quarantine.
    struct Resolution: Sendable {
        let disk: DiskKey
        let choice: DuplicateVolumes.Choice
        /// What is to follow when that is done.
        let next: RowDecision
    }

    /// What is known before anything is done: what is there, what needs nothing, what cannot be helped.
    private(set) var statistics = ReconcileStatistics()
    private(set) var changes: [RowChange] = []
    private(set) var imports: [DiskImport] = []
    private(set) var resolutions: [Resolution] = []
    /// Volumes whose tags call their disk by an earlier name, with the name of today.
    private(set) var misnamed: [(volume: VolumeID, name: String)] = []
    /// Snapshots of disks that live which are marked for deletion.
    private(set) var marked: [(disk: DiskKey, snapshots: [SnapshotID])] = []
    /// Disks of which it is unclear where their newest data is.
    private(set) var doubts: [(disk: DiskKey, doubt: Doubt)] = []
    private(set) var quarantine = QuarantinePlan()
    /// Why things were left as they are; each is an error.
    private(set) var complaints: [Reason] = []

    /// What time it was for PostgreSQL when all was read.
    var now: Date { self.inventory.now }

    private let inventory: Inventory
    private var rows: [DiskKey: Disk] = [:]
    /// The live volumes of each disk.
    private var groups: [DiskKey: [Volume]] = [:]
    /// Disks that nothing is to be done with.
    private var excluded: Set<DiskKey> = []

    init(_ inventory: Inventory) {
        self.inventory = inventory
        self.statistics.aws_volumes = inventory.volumes.count
        self.statistics.db_records = inventory.rows.count
        if inventory.snapshots == nil {
            self.complain(
                "snapshots-unknown",
                "the snapshots could not be read; their columns stay as they are"
            )
        }
        if !inventory.unknown.isEmpty {
            let count = inventory.unknown.count
            self.complain(
                "volumes-unknown",
                "it is not known whether \(count) volumes exist; their rows stay"
            )
        }
        self.indexRows()
        self.groupVolumes()
        self.decideGroups()
        self.decideOrphans()
        self.decideRest()
        self.decideQuarantine()
    }

    private mutating func complain(_ code: String, _ message: String) {
        self.complain(Reason(code, message))
    }

    private mutating func complain(_ reason: Reason) {
        self.statistics.errors += 1
        self.complaints.append(reason)
    }
}

extension ReconciliationPlan {
    private mutating func indexRows() {
        for row in self.inventory.rows {
            if self.rows[row.key] == nil {
                self.rows[row.key] = row
            } else {
                self.complain("row-twice", "there are two rows for \(row.key); the first one counts")
            }
        }
    }

    /// Finds the disk of each live volume: by the row that names the volume, else by its tags.
    private mutating func groupVolumes() {
        let owners = Dictionary(grouping: self.inventory.rows.filter { $0.volume != nil }) { $0.volume }
        for volume in self.inventory.volumes.values where volume.isSettled && !volume.isQuarantined {
            guard let disk = self.disk(of: volume, owners[volume.id] ?? []) else { continue }
            if self.rows[disk]?.isDeleted == true {
                self.statistics.deleted_disk_volumes += 1
            } else if self.inventory.isHeld(disk) {
                self.skip(disk)
            } else {
                self.groups[disk, default: []].append(volume)
            }
        }
    }

    /// A disk that has been renamed is found by its row, though the tags of the volume have the old name.
    private mutating func disk(of volume: Volume, _ owners: [Disk]) -> DiskKey? {
        let tagged = volume.taggedDisk
        let live = owners.filter { !$0.isDeleted }
        guard live.count < 2 || live.contains(where: { $0.key == tagged }) else {
            for row in live { self.excluded.insert(row.key) }
            let disks = live.map(\.key.description).sorted().joined(separator: ", ")
            self.complain("volume-shared", "several rows name volume \(volume.id): \(disks)")
            return nil
        }
        if live.count > 1 {
            for row in live where row.key != tagged {
                self.excluded.insert(row.key)
                self.complain(
                    "foreign-volume",
                    "\(row.key) names volume \(volume.id), which is another disk's"
                )
            }
            return tagged
        }
        guard let owner = live.first ?? owners.first else {
            if tagged == nil { self.statistics.ignored_volumes += 1 }
            return tagged
        }
        guard volume.tags[DiskTag.user].map({ $0.utf8.elementsEqual(owner.user.utf8) }) ?? true else {
            self.excluded.insert(owner.key)
            self.statistics.volume_id_conflicts += 1
            self.complain("foreign-volume", "\(owner.key) names volume \(volume.id), which is another user's")
            return nil
        }
        return owner.key
    }

    /// Leaves a disk to the job that is at it, or to a person.
    private mutating func skip(_ disk: DiskKey) {
        guard self.excluded.insert(disk).inserted else { return }
        self.statistics.transient_skipped += 1
    }
}

extension ReconciliationPlan {
    private mutating func decideGroups() {
        var resolutions: [Resolution] = []
        for (disk, volumes) in self.groups where !self.excluded.contains(disk) {
            if volumes.count > 1 {
                self.statistics.aws_duplicates += 1
                if let resolution = self.resolution(of: DuplicateVolumes(disk: disk, volumes: volumes)) {
                    resolutions.append(resolution)
                }
            } else {
                self.follow(volumes[0], of: disk)
            }
        }
        self.take(resolutions.sorted { $0.disk.description < $1.disk.description })
    }

    /// As many as one run may do; the others are left to later runs.
    private mutating func take(_ resolutions: [Resolution]) {
        var allowance = DestructionLimit.allowance(of: self.groups.values.reduce(0) { $0 + $1.count })
        for resolution in resolutions {
            let count = resolution.choice.others.count
            guard count <= allowance else {
                self.statistics.deferred += count
                self.statistics.unresolved_duplicates += 1
                continue
            }
            allowance -= count
            self.statistics.skipped_duplicates += count
            self.resolutions.append(resolution)
        }
    }

    private mutating func resolution(of duplicates: DuplicateVolumes) -> Resolution? {
        let row = self.rows[duplicates.disk]
        guard let choice = duplicates.choice(named: row?.volume, self.inventory.snapshots),
            !self.isPendingElsewhere(row, duplicates.volumes)
        else {
            self.excluded.insert(duplicates.disk)
            self.statistics.unresolved_duplicates += 1
            let ids = duplicates.volumes.map(\.id.rawValue).sorted().joined(separator: ", ")
            self.complain(
                "duplicate-volumes",
                "\(duplicates.disk) has several volumes, and a person must choose: \(ids)"
            )
            return nil
        }
        let next = self.decision(on: row, duplicates.disk, choice.current)
        return Resolution(disk: duplicates.disk, choice: choice, next: next)
    }

    /// Whether the row names a volume that is none of these, and exists or may exist: perhaps it is just being made.
    private func isPendingElsewhere(_ row: Disk?, _ volumes: [Volume]) -> Bool {
        guard let named = row?.volume, !volumes.contains(where: { $0.id == named }) else { return false }
        return switch self.presence(of: named) {
        case .gone: row?.isHeld ?? false
        case .setAside: false
        case .there, .unknown: true
        }
    }

    /// The only live volume of a disk.
    private mutating func follow(_ volume: Volume, of disk: DiskKey) {
        let row = self.rows[disk]
        if let named = row?.volume, named != volume.id {
            switch self.presence(of: named) {
            case .unknown: return
            case .there:
                self.statistics.volume_id_conflicts += 1
                self.complain(about: named, of: disk, beside: volume)
                return
            case .setAside: self.statistics.volume_id_conflicts += 1
            case .gone:
                // What the holder worked on is gone, and this is something else.
                guard let row, row.isHeld else { break }
                if row.isHolderOver { self.doubt(disk, .lostVolume(named, beside: volume)) }
                return
            }
        }
        guard self.isClear(volume, of: disk, row) else { return }
        if volume.tags[DiskTag.disk] != disk.name { self.misnamed.append((volume.id, disk.name)) }
        switch self.decision(on: row, disk, volume) {
        case .nothing: self.statistics.synced += 1
        case .change(let change): self.changes.append(change)
        case .bringIn(let one): self.imports.append(one)
        }
    }

    /// Tells that the row names a volume which nothing will make the disk's; one on its way in or out settles itself.
    private mutating func complain(about named: VolumeID, of disk: DiskKey, beside volume: Volume) {
        guard let other = self.inventory.volumes[named] else { return }
        let isAnothers = other.tags[DiskTag.user].map { !$0.utf8.elementsEqual(disk.user.utf8) } ?? false
        guard other.state == .error || isAnothers else { return }
        let state = isAnothers ? "another user's" : "in error"
        self.complain(
            "volume-id-conflict",
            "\(disk) names volume \(named), which is \(state), and volume \(volume.id) carries the disk's tags: correct the row"
        )
    }

    /// Whether the volume can be the current one of its disk, going by the snapshots.
    ///
    /// Where it cannot, the row learns no more than that the volume is in use.
    private mutating func isClear(_ volume: Volume, of disk: DiskKey, _ row: Disk?) -> Bool {
        guard let census = self.inventory.snapshots else { return row?.volume == volume.id || row == nil }
        let snapshots = census.ofDisk[disk] ?? []
        guard let newer = NewestState.snapshot(newerThan: volume, among: snapshots) else { return true }
        self.doubt(disk, .staleVolume(volume, newer))
        if let row, row.volume == volume.id, volume.isAttached, !row.isInUse {
            self.changes.append(RowChange(row: row, changes: [.isInUse(true)]))
        }
        return false
    }

    private mutating func doubt(_ disk: DiskKey, _ doubt: Doubt) {
        self.statistics.unclear_disks += 1
        self.doubts.append((disk, doubt))
    }

    private func decision(on row: Disk?, _ disk: DiskKey, _ volume: Volume) -> RowDecision {
        let snapshots = self.inventory.snapshots?.summary(of: disk, on: volume.id)
        guard let row else {
            return .bringIn(DiskImport(disk: disk, volume: volume, snapshots: snapshots))
        }
        let changes = row.changes(following: volume, snapshots)
        return changes.isEmpty ? .nothing : .change(RowChange(row: row, changes: changes))
    }

    private enum Presence {
        case there, setAside, gone, unknown
    }

    /// A volume in quarantine is there, but its disk has given it up unless somebody has attached it again.
    private func presence(of id: VolumeID) -> Presence {
        if self.inventory.unknown.contains(id) { return .unknown }
        guard let volume = self.inventory.volumes[id] else { return .gone }
        return volume.isQuarantined && !volume.isAttached ? .setAside : .there
    }
}

extension ReconciliationPlan {
    /// Rows whose volume is gone and that no other volume has been found for.
    private mutating func decideOrphans() {
        var freed: [RowChange] = []
        let named = self.rows.values.filter { $0.volume != nil }
        for row in named {
            guard let volume = row.volume, self.groups[row.key] == nil, !self.excluded.contains(row.key),
                case .gone = self.presence(of: volume)
            else { continue }
            if row.isDeleted {
                self.statistics.orphaned_db_deleted += 1
                continue
            }
            self.statistics.orphaned_db_active += 1
            guard row.isInUse, row.isNobodys else { continue }
            if self.inventory.isHeld(row.key) {
                self.skip(row.key)
            } else {
                freed.append(RowChange(row: row, changes: [.isInUse(false)]))
            }
        }
        let allowance = DestructionLimit.allowance(of: named.count)
        self.statistics.deferred += max(0, freed.count - allowance)
        self.changes += freed.prefix(allowance)
    }

    /// What is wrong with disks that need no volume: those without one that are unclear, and marks on those that live.
    private mutating func decideRest() {
        guard let census = self.inventory.snapshots else { return }
        for (disk, row) in self.rows where !row.isDeleted && !self.inventory.isHeld(disk) {
            if let marked = census.marked[disk] { self.marked.append((disk, marked)) }
            guard self.groups[disk] == nil, !self.excluded.contains(disk),
                !row.isBeingTaken || row.holder != nil && row.isHolderOver
            else { continue }
            if let volume = row.volume, self.inventory.unknown.contains(volume) { continue }
            let named = [row.volume, row.handedOutVolume].compactMap {
                $0.flatMap { self.inventory.volumes[$0] }
            }
            let state = NewestState(
                of: row,
                DiskVolumes(named, of: row),
                DiskSnapshots(census.ofDisk[disk] ?? []),
                // What a session has written counts from its end on, when its release is to come.
                for: row.isInUse && row.holder != nil && row.isHolderOver ? .release : .pruning
            )
            if case .unclear(let doubt) = state.finding { self.doubt(disk, doubt) }
        }
        self.marked.sort { $0.disk.description < $1.disk.description }
        self.doubts.sort { $0.disk.description < $1.disk.description }
    }

    private mutating func decideQuarantine() {
        let named = Set(self.inventory.rows.lazy.filter { !$0.isDeleted }.compactMap(\.volume))
        self.quarantine = QuarantinePlan(self.inventory, named: named)
        self.statistics.cleanup_quarantined_found = self.quarantine.found
        self.statistics.cleanup_skipped_too_recent = self.quarantine.tooRecent
        self.statistics.cleanup_waiting_snapshot = self.quarantine.waiting
        self.statistics.deferred += self.quarantine.deferred
        for complaint in self.quarantine.complaints { self.complain(complaint) }
    }
}
