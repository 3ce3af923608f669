import AWS

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
    ///   - snapshots: Decide between volumes of one size; nil if they could not be read.
    /// - Returns: Nil if a person must choose: two are attached, or what would decide is not known.
    func choice(named: VolumeID?, _ snapshots: SnapshotCensus?) -> Choice? {
        let attached = self.volumes.filter(\.isAttached)
        guard attached.count < 2 else { return nil }
        let current =
            attached.first ?? self.volumes.first { $0.id == named } ?? self.greatest(by: snapshots)
        return current.map { current in
            Choice(current: current, others: self.volumes.filter { $0.id != current.id })
        }
    }

    /// The largest; of equals that with most completed snapshots, then the youngest, then the one of the greatest id.
    private func greatest(by snapshots: SnapshotCensus?) -> Volume? {
        let largest = self.volumes.map(\.size).max()
        let rest = self.volumes.filter { $0.size == largest }
        guard rest.count > 1 else { return rest.first }
        guard let snapshots else { return nil }
        return rest.max { one, other in
            let counts = [one, other].map { min(snapshots.completed(of: $0.id), Self.mostSnapshots) }
            return (counts[0], one.createTime, one.id.rawValue) < (
                counts[1], other.createTime, other.id.rawValue
            )
        }
    }

    /// More snapshots than this do not count.
    private static let mostSnapshots = 100
}
