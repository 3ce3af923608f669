import AWS
import FoundationEssentials

/// Two or more live volumes of one disk, of which one at most can be the current one.
struct DuplicateVolumes: Sendable {
    /// The volume that stays, and those that go into quarantine.
    struct Choice: Sendable {
        let current: Volume
        let others: [Volume]
    }

    let disk: DiskKey
    let volumes: [Volume]

    /// Chooses the current volume: the attached one, else the one that the row names, else the greatest.
    ///
    /// - Parameters:
    ///   - named: What the disk's row names.
    ///   - snapshots: Decide between volumes of one size; nil if they could not be read. A volume that was made before
    ///     a newer snapshot of another one began is never the current one.
    /// - Returns: Nil if a person must choose: two are attached, or what would decide is not known.
    func choice(named: VolumeID?, _ snapshots: SnapshotCensus?) -> Choice? {
        let attached = self.volumes.filter(\.isAttached)
        guard attached.count < 2 else { return nil }
        let isStale = { (volume: Volume) in
            let known = snapshots?.ofDisk[self.disk] ?? []
            return NewestState.snapshot(newerThan: volume, among: known) != nil
        }
        let candidates = self.volumes.filter { !isStale($0) }
        if let used = attached.first, isStale(used) { return nil }
        let current =
            attached.first ?? candidates.first { $0.id == named }
            ?? self.greatest(of: candidates, by: snapshots)
        return current.map { current in
            Choice(current: current, others: self.volumes.filter { $0.id != current.id })
        }
    }

    /// The largest; of equals that with most completed snapshots, then the youngest, then the one of the greatest id.
    ///
    /// One that another was made from is never it. Nil if it has more snapshots than another that was made after all of
    /// them had begun: that may be of a later session whose snapshot has failed.
    private func greatest(of volumes: [Volume], by snapshots: SnapshotCensus?) -> Volume? {
        let largest = volumes.map(\.size).max()
        let largestOnes = volumes.filter { $0.size == largest }
        guard largestOnes.count > 1 else { return largestOnes.first }
        guard let snapshots else { return nil }
        let known = snapshots.ofDisk[self.disk] ?? []
        let newest = { (volume: Volume) in
            known.filter { $0.volumeID == volume.id && $0.mayHoldData }.max { $0.isOlder(than: $1) }
        }
        let rest = largestOnes.filter { volume in
            let last = newest(volume)?.id
            return last == nil || !largestOnes.contains { $0.id != volume.id && $0.snapshotID == last }
        }
        let greatest = rest.max { one, other in
            let counts = [one, other].map { min(snapshots.completed(of: $0.id), Self.mostSnapshots) }
            return (counts[0], one.createTime, one.id.rawValue) < (
                counts[1], other.createTime, other.id.rawValue
            )
        }
        guard let greatest else { return nil }
        let lastKnown = max(greatest.dataTime, newest(greatest)?.dataTime ?? .distantPast)
        return rest.contains { $0.dataTime > lastKnown } ? nil : greatest
    }

    /// More snapshots than this do not count.
    private static let mostSnapshots = 100
}
