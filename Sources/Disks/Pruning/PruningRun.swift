import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform
import Postgres

/// Carries out what is to become of snapshots, disk by disk, until all is done or time is nearly up.
struct PruningRun: Sendable {
    let database: PostgresPool
    let ec2: EC2Client
    let retention: DiskRetention
    let job: JobID
    /// Whether it is for all disks, and so holds none of them for itself.
    let isOfAll: Bool
    let context: JobContext
    /// What time it is for PostgreSQL; a run takes some minutes at most.
    let now: Date

    /// What is left of the time when the run stops; the rest is done in the next one.
    private static let margin: Duration = .seconds(15)

    private var isTimeLeft: Bool { self.context.remaining > Self.margin }

    /// Begins the time of deletions that nobody has noted the beginning of.
    func note(_ inventory: SnapshotInventory, _ rows: [Disk]) async throws {
        let unknown = rows.filter { $0.isDeleted && $0.markedDeleted == nil }.map(\.id.text)
        guard !unknown.isEmpty else { return }
        _ = try await self.database.run(
            """
            UPDATE disks SET marked_deleted_at = now()
            WHERE disk_id = ANY(\(unknown)::text[]::uuid[]) AND is_deleted AND marked_deleted_at IS NULL
            """
        )
    }

    /// Gives the snapshots of deleted disks their day.
    func mark(_ inventory: SnapshotInventory, _ tally: inout PruningTally) async throws {
        for (key, pruning) in inventory.prunings where !pruning.unmarked.isEmpty && self.isTimeLeft {
            guard try await !self.isHeld(key, &tally),
                let day = try await Disk.find(key.user, key.name, in: self.database)?.dueDate
            else { continue }
            do {
                try await self.ec2.createTags(
                    SnapshotLabel.tags(deleting: day, at: self.now),
                    on: pruning.unmarked.map(\.id),
                    deadline: self.context.deadline
                )
                guard try await self.isDeleted(key) else {
                    try await self.unmark(pruning.unmarked)
                    continue
                }
                tally.tagged_snapshots += pruning.unmarked.count
            } catch let error as AWSError {
                try self.count(error, key, &tally)
            }
        }
    }

    /// Deletes what has to go; what the rows are to say then.
    func delete(_ inventory: SnapshotInventory, _ tally: inout PruningTally) async throws -> [Write] {
        var writes: [Write] = []
        var rowsDue: [Disk] = []
        for (key, pruning) in inventory.prunings where pruning.isWorthALook && self.isTimeLeft {
            guard try await !self.isHeld(key, &tally) else { continue }
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
    /// Whether another job is at the disk, whose business it is then; a run for one disk holds it itself.
    private func isHeld(_ disk: DiskKey, _ tally: inout PruningTally) async throws -> Bool {
        guard self.isOfAll else { return false }
        let rows = try await self.database.run(
            "SELECT \(ExclusiveKey.isHeld("\(disk.exclusiveKey.description)::text")) AS is_held"
        ).rows
        guard try rows.first?.read("is_held") == true else { return false }
        tally.held += 1
        return true
    }

    private func isDeleted(_ disk: DiskKey) async throws -> Bool {
        try await Disk.find(disk.user, disk.name, in: self.database)?.dueDate != nil
    }

    /// Takes the marks back of a disk that has come to life while they were set.
    private func unmark(_ snapshots: [Snapshot]) async throws(AWSError) {
        try await self.ec2.unmark(snapshots.map(\.id), deadline: self.context.deadline)
    }

    /// Whether it is clear where the newest data of the disk is, so that older data is superfluous.
    private func isClear(_ row: Disk?, _ snapshots: [Snapshot], _ tally: inout PruningTally) async throws
        -> Bool
    {
        guard let row else { return true }
        let volumes = try await DiskVolumes(
            of: row,
            in: self.ec2,
            self.database,
            deadline: self.context.deadline
        )
        let state = NewestState(of: row, volumes, DiskSnapshots(snapshots), for: .pruning)
        guard case .unclear(let doubt) = state.finding else { return true }
        tally.unclear += 1
        doubt.count(in: PruneSnapshots.kind)
        self.context.logger.warning(
            "snapshots of a disk are kept, since it is unclear where its newest data is",
            metadata: [
                "disk.user": "\(row.user)", "disk.name": "\(row.name)",
                "error.code": "\(doubt.code.rawValue)",
                "error": "\(doubt.message)",
            ]
        )
        return false
    }

    /// Deletes of one disk what is still to go when all is read again; those that are left, or nil if all are.
    private func delete(_ planned: Pruning, of row: Disk?, _ key: DiskKey, _ tally: inout PruningTally)
        async throws
        -> [Snapshot]?
    {
        let fresh = try await self.ec2.describeSnapshots(
            matching: [.tag(DiskTag.user, key.user)],
            deadline: self.context.deadline
        ).filter { $0.disk == key }
        let pruning = Pruning(fresh, of: row, at: self.now, self.retention)
        var gone: Set<SnapshotID> = []
        var superfluous = 0
        let thinnedOut = pruning.superfluous.filter { snapshot in
            planned.superfluous.contains { $0.id == snapshot.id }
        }
        let isClear = thinnedOut.isEmpty ? true : try await self.isClear(row, fresh, &tally)
        for snapshot in thinnedOut where isClear && superfluous < Pruning.mostSuperfluous {
            guard tally.mayDeleteSuperfluous else {
                tally.deferred += 1
                continue
            }
            guard try await self.delete(snapshot, .superfluous, &tally) else { continue }
            superfluous += 1
            tally.retention_deleted += 1
            gone.insert(snapshot.id)
        }
        for snapshot in pruning.due
        where planned.due.contains(where: { $0.id == snapshot.id }) {
            guard tally.mayPurge else {
                tally.deferred += 1
                continue
            }
            guard try await self.delete(snapshot, .purged, &tally) else { continue }
            tally.purged += 1
            gone.insert(snapshot.id)
        }
        for copy in try await self.withoutVolume(pruning.outdatedCopies) {
            guard tally.mayPurgeCopies else {
                tally.deferred += 1
                continue
            }
            guard try await self.delete(copy, .safetyCopy, &tally) else { continue }
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
    private func delete(
        _ snapshot: Snapshot,
        _ cause: SnapshotDeletion.Cause,
        _ tally: inout PruningTally,
    ) async throws -> Bool {
        guard self.isTimeLeft else { return false }
        let deletion = SnapshotDeletion(snapshot: snapshot, cause: cause, job: self.job)
        let claim: Int64? = try await self.database.run(deletion.claim(self.retention)).rows.first?
            .readOptional("claim")
        guard let claim else {
            tally.deferred += 1
            return false
        }
        self.context.logger.notice(
            "a snapshot is deleted",
            metadata: [
                "aws.snapshot": "\(snapshot.id)", "disk.user": "\(snapshot.disk?.user ?? "")",
                "disk.name": "\(snapshot.disk?.name ?? "")", "reason": "\(cause.rawValue)",
            ]
        )
        do throws(AWSError) {
            try await self.ec2.deleteSnapshot(snapshot.id, deadline: self.context.deadline)
            return true
        } catch {
            guard error.awsCode == "InvalidSnapshot.InUse" else { throw error }
            tally.kept_in_use += 1
        }
        _ = try await self.database.run(SnapshotDeletion.withdrawal(claim))
        return false
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
                    AND delete_date <= \(Day(of: self.now).description)::date
                    AND marked_deleted_at <= \(self.latestDeletion)
                """
            )
        }
    }

    /// Disks that were deleted after this may not be forgotten yet.
    private var latestDeletion: Date { self.now.addingTimeInterval(-self.retention.seconds) }

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
