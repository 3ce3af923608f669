import AWS
import FoundationEssentials
import Jobs
import Logging
import Postgres

extension ReconcileRun {
    /// As many disks are looked at together once more before their volumes are tagged.
    private static let disksPerLook = 10

    private static let quarantine = "quarantine"

    /// Puts all but the current volume of each disk into quarantine.
    ///
    /// - Returns: Current volumes that have no row yet.
    mutating func resolveDuplicates() async throws -> [DiskImport] {
        var imports: [DiskImport] = []
        for some in self.plan.resolutions.inChunks(of: Self.disksPerLook) where self.hasTime() {
            guard let volumes = try await self.lookAgain(at: some) else { continue }
            for resolution in some where self.hasTime() {
                guard try await self.isResolved(resolution, volumes) else {
                    self.statistics.unresolved_duplicates += 1
                    continue
                }
                switch resolution.next {
                case .nothing: self.statistics.synced += 1
                case .change: self.statistics.updated += 1
                case .bringIn(let disk): imports.append(disk)
                }
            }
        }
        return imports
    }

    /// What has become of the volumes since they were listed; nil if AWS does not say, and then nothing is tagged.
    private mutating func lookAgain(at some: ArraySlice<ReconciliationPlan.Resolution>) async throws
        -> [VolumeID: Volume]?
    {
        let ids = some.flatMap { [$0.choice.current.id] + $0.choice.others.map(\.id) }
        let (ec2, deadline) = (self.ec2, self.context.deadline)
        let volumes = try await self.look { () throws(AWSError) in
            try await ec2.describeVolumes(existing: ids, deadline: deadline)
        }
        guard let volumes else {
            self.statistics.unresolved_duplicates += some.count
            self.statistics.errors += some.count - 1
            return nil
        }
        return Dictionary(volumes.map { ($0.id, $0) }) { first, _ in first }
    }

    /// Tags the others and brings the row up to date: both, or neither.
    ///
    /// A run that dies between the two leaves a disk with one visible volume, which the next run gives to the row.
    private mutating func isResolved(
        _ resolution: ReconciliationPlan.Resolution,
        _ volumes: [VolumeID: Volume],
    ) async throws -> Bool {
        let choice = resolution.choice
        guard choice.isStillRight(volumes) else {
            let message = "the volumes of \(resolution.disk) have changed since they were listed"
            self.complain(Reason("volumes-changed", message))
            return false
        }
        guard !self.isDryRun else {
            self.statistics.quarantined_volumes += choice.others.count
            return true
        }
        guard try await self.quarantine(choice, of: resolution.disk) else {
            try await self.rollBack(choice)
            return false
        }
        if case .change(let change) = resolution.next, try await !self.isWritten(change) {
            try await self.rollBack(choice)
            return false
        }
        self.statistics.quarantined_volumes += choice.others.count
        self.context.logger.notice(
            "volumes were put into quarantine",
            metadata: [
                "disk.user": "\(resolution.disk.user)", "disk.name": "\(resolution.disk.name)",
                "volume.current": "\(choice.current.id)",
                "volume.others": "\(choice.others.map(\.id.rawValue).joined(separator: " "))",
            ]
        )
        return true
    }

    /// One request for all volumes of a disk: EC2 tags all of them or none.
    private mutating func quarantine(_ choice: DuplicateVolumes.Choice, of disk: DiskKey) async throws -> Bool
    {
        let reason =
            "duplicate of \(choice.current.id), the current volume of disk \(disk.name) of \(disk.user)"
        let tags: Tags = [
            DiskTag.quarantined: self.plan.now.rfc3339,
            DiskTag.quarantineReason: String(String.UnicodeScalarView(reason.unicodeScalars.prefix(256))),
        ]
        let (ec2, ids) = (self.ec2, choice.others.map(\.id))
        return try await self.change(Self.quarantine) { deadline throws(AWSError) in
            try await ec2.createTags(tags, on: ids, deadline: deadline)
        }
    }

    /// Takes the tags off again; the call that failed may have set some of them all the same.
    private mutating func rollBack(_ choice: DuplicateVolumes.Choice) async throws {
        guard !self.isRefused(Self.quarantine) else { return }
        let (ec2, ids) = (self.ec2, choice.others.map(\.id))
        let keys = [DiskTag.quarantined, DiskTag.quarantineReason]
        _ = try await self.change("take back") { deadline throws(AWSError) in
            try await ec2.deleteTags(keys, from: ids, deadline: deadline)
        }
    }

    /// False if the row could not be written, and so the volumes must not stay in quarantine.
    private mutating func isWritten(_ change: RowChange) async throws -> Bool {
        do {
            let result = try await self.lock.session.run(try await DiskRows.update([change]))
            guard result.affectedRows == 0 else { return true }
            self.complain(Reason("row-changed", "the row of \(change.row.key) has changed since it was read"))
        } catch let error as PostgresError where error.isRefusal {
            self.complain(Reason(error.constraint ?? error.sqlState ?? error.code.rawValue, "\(error)"))
        }
        return false
    }
}

extension DuplicateVolumes.Choice {
    /// Whether all volumes are as they were when it was made.
    fileprivate func isStillRight(_ volumes: [VolumeID: Volume]) -> Bool {
        ([self.current] + self.others).allSatisfy { seen in
            guard let now = volumes[seen.id] else { return false }
            return now.isSettled && !now.isQuarantined && now.isAttached == seen.isAttached
                && now.taggedDisk == seen.taggedDisk
        }
    }
}
