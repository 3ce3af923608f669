import AWS
import FoundationEssentials
import Jobs

/// The snapshots of one listing, counted by disk and by volume in one pass.
struct SnapshotCensus: Sendable {
    /// What `snapshot_count` counts.
    enum Scope: String, Sendable, CaseIterable, PayloadValue {
        /// The snapshots of the disk, whatever volume they were taken of.
        case disk
        /// All of the current volume's, as older versions did; for comparison.
        case volume
    }

    private struct OfVolume {
        var all = SnapshotSummary()
        var completed = 0
        /// Those under way, with the disks that their tags name.
        var pending: [DiskKey?] = []
    }

    /// How many snapshots were counted.
    let total: Int

    /// The copies that were made of volumes in quarantine.
    private(set) var safetyCopies: [VolumeID: [Snapshot]] = [:]

    /// The snapshots of each disk that may hold its data, marks of a deletion or not.
    private(set) var ofDisk: [DiskKey: [Snapshot]] = [:]

    /// Those among them that are marked for deletion.
    private(set) var marked: [DiskKey: [SnapshotID]] = [:]

    private let scope: Scope
    private var ofDisks: [DiskKey: SnapshotSummary] = [:]
    private var ofVolumes: [VolumeID: OfVolume] = [:]

    /// - Parameters:
    ///   - snapshots: What is counted.
    ///   - scope: What `snapshot_count` counts.
    ///   - all: Those of all disks, where `snapshots` are not these.
    init(_ snapshots: [Snapshot], scope: Scope = .disk, ofDisks all: [Snapshot]? = nil) {
        self.total = snapshots.count
        self.scope = scope
        for snapshot in snapshots { self.count(snapshot) }
        for snapshot in all ?? snapshots where snapshot.tags[DiskTag.safetySnapshot] == nil {
            guard let disk = snapshot.disk else { continue }
            self.ofDisk[disk, default: []].append(snapshot)
            if snapshot.tags[DiskTag.deleteDate] != nil { self.marked[disk, default: []].append(snapshot.id) }
        }
    }

    /// What the row of a disk whose current volume is `volume` has to say of its snapshots.
    func summary(of disk: DiskKey, on volume: VolumeID) -> SnapshotSummary {
        let ofVolume = self.ofVolumes[volume]
        guard self.scope == .disk else { return ofVolume?.all ?? SnapshotSummary() }
        var summary = self.ofDisks[disk] ?? SnapshotSummary()
        summary.pending += ofVolume?.pending.count { $0 != disk } ?? 0
        return summary
    }

    /// How many completed snapshots there are of a volume.
    func completed(of volume: VolumeID) -> Int { self.ofVolumes[volume]?.completed ?? 0 }

    private mutating func count(_ snapshot: Snapshot) {
        if snapshot.tags[DiskTag.safetySnapshot] != nil {
            let original = snapshot.tags[DiskTag.originalVolume].map { VolumeID(rawValue: $0) }
            self.safetyCopies[original ?? snapshot.volumeID, default: []].append(snapshot)
        }
        let disk = snapshot.taggedDisk
        self.ofVolumes[snapshot.volumeID, default: OfVolume()].all.add(snapshot)
        if snapshot.state == .completed {
            self.ofVolumes[snapshot.volumeID, default: OfVolume()].completed += 1
        }
        guard snapshot.isKept else { return }
        if snapshot.state == .pending {
            self.ofVolumes[snapshot.volumeID, default: OfVolume()].pending.append(disk)
        }
        if let disk { self.ofDisks[disk, default: SnapshotSummary()].add(snapshot) }
    }
}

extension Snapshot {
    fileprivate var taggedDisk: DiskKey? {
        guard let user = self.tags[DiskTag.user], let name = self.tags[DiskTag.disk] else { return nil }
        return DiskKey(user: user, name: name)
    }
}
