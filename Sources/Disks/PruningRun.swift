import AWS
import FoundationEssentials
import Jobs
import Logging
import Postgres

/// Carries out what is to become of snapshots, disk by disk, until all is done or time is nearly up.
struct PruningRun: Sendable {
    let database: PostgresPool
    let ec2: EC2Client
    let context: JobContext

    /// What is left of the time when the run stops; the rest is done in the next one.
    private static let margin: Duration = .seconds(15)

    private var isTimeLeft: Bool { self.context.remaining > Self.margin }

    /// Gives the snapshots of deleted disks their day.
    func mark(_ inventory: SnapshotInventory, _ tally: inout PruningTally) async throws {
        for (key, pruning) in inventory.prunings where !pruning.unmarked.isEmpty && self.isTimeLeft {
            guard let day = try await Disk.find(key.user, key.name, in: self.database)?.dueDate else {
                continue
            }
            do {
                try await self.ec2.createTags(
                    SnapshotLabel.tags(deleting: day),
                    on: pruning.unmarked.map(\.id),
                    deadline: self.context.deadline
                )
                tally.tagged_snapshots += pruning.unmarked.count
            } catch {
                try self.count(error, key, &tally)
            }
        }
    }

    /// Deletes what has to go; what the rows are to say then.
    func delete(_ inventory: SnapshotInventory, _ tally: inout PruningTally) async throws -> [Write] {
        var writes: [Write] = []
        var rowsDue: [Disk] = []
        for (key, pruning) in inventory.prunings where pruning.isWorthALook && self.isTimeLeft {
            let row = try await Disk.find(key.user, key.name, in: self.database)
            do {
                let remaining = try await self.delete(pruning, of: row, key, &tally)
                guard let row, let remaining else { continue }
                writes.append(Write(DiskSnapshots(remaining).update(of: row)))
                if remaining.isEmpty, row.dueDate != nil { rowsDue.append(row) }
            } catch let error as AWSError {
                try self.count(error, key, &tally)
            }
        }
        return writes + (try await self.purge(rowsDue))
    }
}

extension PruningRun {
    /// Deletes of one disk what is still to go when all is read again; those that are left, or nil if all are.
    private func delete(_ planned: Pruning, of row: Disk?, _ key: DiskKey, _ tally: inout PruningTally)
        async throws
        -> [Snapshot]?
    {
        let fresh = try await self.ec2.describeSnapshots(
            matching: [.tag(DiskTag.user, key.user)],
            deadline: self.context.deadline
        ).filter { $0.disk == key }
        let pruning = Pruning(fresh, of: row, at: Date())
        var gone: Set<SnapshotID> = []
        var superfluous = 0
        for snapshot in pruning.superfluous
        where superfluous < Pruning.mostSuperfluous && tally.mayDeleteSuperfluous {
            guard planned.superfluous.contains(where: { $0.id == snapshot.id }) else { continue }
            guard try await self.delete(snapshot, because: "newer ones are enough", &tally) else { continue }
            superfluous += 1
            tally.retention_deleted += 1
            gone.insert(snapshot.id)
        }
        for snapshot in pruning.due
        where tally.mayPurge && planned.due.contains(where: { $0.id == snapshot.id }) {
            guard try await self.delete(snapshot, because: "its day has come", &tally) else { continue }
            tally.purged += 1
            gone.insert(snapshot.id)
        }
        for copy in try await self.withoutVolume(pruning.outdatedCopies) where tally.mayPurge {
            guard try await self.delete(copy, because: "its volume is gone for long", &tally) else {
                continue
            }
            tally.safety_purged += 1
        }
        guard pruning.isRowDue || !gone.isEmpty else { return nil }
        return fresh.filter { $0.tags[DiskTag.safetySnapshot] == nil && !gone.contains($0.id) }
    }

    /// Those whose volume is really gone: while it is there, its copy may be what it waits for.
    private func withoutVolume(_ copies: [Snapshot]) async throws -> [Snapshot] {
        let volumes = try await self.ec2.describeVolumes(
            ids: Array(Set(copies.map(\.copiedVolume))),
            deadline: self.context.deadline
        )
        let existing = Set(volumes.filter { $0.state != .deleted && $0.state != .deleting }.map(\.id))
        return copies.filter { !existing.contains($0.copiedVolume) }
    }

    /// Whether it is gone now.
    private func delete(_ snapshot: Snapshot, because reason: String, _ tally: inout PruningTally)
        async throws -> Bool
    {
        guard self.isTimeLeft else { return false }
        self.context.logger.notice(
            "a snapshot is deleted",
            metadata: [
                "aws.snapshot": "\(snapshot.id)", "disk.user": "\(snapshot.disk?.user ?? "")",
                "disk.name": "\(snapshot.disk?.name ?? "")", "reason": "\(reason)",
            ]
        )
        do throws(AWSError) {
            try await self.ec2.deleteSnapshot(snapshot.id, deadline: self.context.deadline)
            return true
        } catch {
            guard error.awsCode == "InvalidSnapshot.InUse" else { throw error }
            tally.kept_in_use += 1
            return false
        }
    }

    /// Rows of disks of which nothing is left, neither snapshots nor volumes.
    private func purge(_ rows: [Disk]) async throws -> [Write] {
        guard !rows.isEmpty else { return [] }
        let volumes = try await self.ec2.describeVolumes(
            matching: [.hasTag(DiskTag.user)],
            deadline: self.context.deadline
        )
        return rows.filter { row in
            !volumes.contains {
                $0.id == row.volume || ($0.tags[DiskTag.user] == row.user && $0.diskName == row.name)
            }
        }.map { row in
            self.context.logger.notice(
                "a purged disk is forgotten",
                metadata: ["disk.user": "\(row.user)", "disk.name": "\(row.name)", "disk.id": "\(row.id)"]
            )
            return Write(
                """
                DELETE FROM disks WHERE disk_id = \(row.id) AND is_deleted
                    AND delete_date <= \(Day.today.description)::date
                """
            )
        }
    }

    /// Notes a failure of one disk; one that would befall the others too ends the run.
    private func count(_ error: AWSError, _ disk: DiskKey, _ tally: inout PruningTally) throws(AWSError) {
        guard ![.cancelled, .deadlineExceeded, .credentials, .accessDenied].contains(error.code) else {
            throw error
        }
        tally.errors += 1
        self.context.logger.warning(
            "snapshots of a disk could not be pruned",
            metadata: ["disk.user": "\(disk.user)", "disk.name": "\(disk.name)", "error": "\(error)"]
        )
    }
}

extension Pruning {
    /// Whether there is anything to delete.
    fileprivate var isWorthALook: Bool {
        !(self.superfluous.isEmpty && self.due.isEmpty && self.outdatedCopies.isEmpty) || self.isRowDue
    }
}

extension Snapshot {
    /// The volume that a safety copy was made of.
    fileprivate var copiedVolume: VolumeID {
        self.tags[DiskTag.originalVolume].map { VolumeID(rawValue: $0) } ?? self.volumeID
    }
}
