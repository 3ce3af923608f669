import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform
import Postgres

extension ReconcileRun {
    /// Does what is due with the volumes in quarantine and with old safety snapshots.
    mutating func cleanUp() async throws {
        let plan = self.plan.quarantine
        for reminder in plan.reminders where self.hasTime() { try await self.remind(reminder) }
        for volume in plan.copies where self.hasTime() { try await self.copy(volume) }
        for deletion in plan.deletions where self.hasTime() { try await self.delete(deletion) }
        for snapshot in plan.outdated where self.hasTime() { try await self.delete(snapshot) }
    }

    /// Once for each of the last days that are announced: the tag remembers.
    private mutating func remind(_ reminder: QuarantinePlan.Reminder) async throws {
        guard !self.isDryRun else { return }
        let (ec2, volume) = (self.ec2, reminder.volume)
        let isNoted = try await self.change("remind") { deadline throws(AWSError) in
            let tags = [DiskTag.quarantineReminded: String(reminder.days)]
            try await ec2.createTags(tags, on: [volume.id], deadline: deadline)
        }
        guard isNoted else { return }
        self.context.logger.notice(
            "a volume in quarantine will be deleted soon",
            metadata: volume.facts.merging(["quarantine.days-left": "\(reminder.days)"]) { $1 }
        )
    }

    /// Begins the safety snapshot, unless an earlier start may have begun one that does not show yet.
    private mutating func copy(_ volume: Volume) async throws {
        guard !self.isDryRun, !self.context.followsUnsettledStart else {
            self.statistics.cleanup_waiting_snapshot += 1
            return
        }
        let (ec2, operation, now) = (self.ec2, self.job.description, self.plan.now)
        let description =
            "gpu-dev safety snapshot of volume \(volume.id), given up after quarantine, for \(volume.ownerInWords)"
        let isBegun = try await self.change("copy") { deadline throws(AWSError) in
            do throws(AWSError) {
                _ = try await ec2.createSnapshot(
                    of: volume.id,
                    description: String(description.prefix(255)),
                    operation: operation,
                    tags: volume.tagsOfSafetyCopy(at: now),
                    deadline: deadline
                )
            } catch {
                guard error.isForLater else { throw error }
            }
        }
        if isBegun { self.statistics.cleanup_waiting_snapshot += 1 }
    }

    /// Deletes a volume whose copy is complete, if nobody has taken it out of quarantine meanwhile.
    private mutating func delete(_ deletion: QuarantinePlan.Deletion) async throws {
        let (ec2, deadline, id) = (self.ec2, self.context.deadline, deletion.volume.id)
        let answer = try await self.look { () throws(AWSError) in
            (
                volume: try await ec2.volume(id, deadline: deadline),
                copy: try await ec2.snapshot(deletion.copy, deadline: deadline)
            )
        }
        guard let answer else { return }
        guard let volume = answer.volume else { return self.statistics.cleanup_deleted += 1 }
        guard volume.quarantinedSince == deletion.volume.quarantinedSince,
            volume.tags[DiskTag.user] == deletion.volume.tags[DiskTag.user]
        else {
            return self.context.logger.notice("a volume is out of quarantine again", metadata: volume.facts)
        }
        guard !volume.isAttached, volume.state == .available, try await !self.isNamedByRow(id) else {
            return self.complain(
                Reason("quarantine", "volume \(id) is in use again though it is in quarantine")
            )
        }
        guard let copy = answer.copy, copy.state == .completed, copy.volumeID == id else {
            return self.statistics.cleanup_waiting_snapshot += 1
        }
        guard !self.isDryRun else { return self.statistics.cleanup_deleted += 1 }
        self.context.logger.notice(
            "a volume is deleted after its quarantine",
            metadata: volume.facts.merging(["snapshot.id": "\(copy.id)"]) { $1 }
        )
        let isDeleted = try await self.change("delete a volume") { deadline throws(AWSError) in
            try await ec2.deleteVolume(id, deadline: deadline)
        }
        if isDeleted { self.statistics.cleanup_deleted += 1 }
    }

    private func isNamedByRow(_ volume: VolumeID) async throws -> Bool {
        let rows = try await self.lock.session.run(
            "SELECT FROM disks WHERE ebs_volume_id = \(volume.rawValue) AND is_deleted IS NOT TRUE LIMIT 1"
        ).rows
        return !rows.isEmpty
    }

    /// Deletes a safety snapshot whose time has passed; one that an image needs stays.
    private mutating func delete(_ snapshot: Snapshot) async throws {
        let (ec2, deadline) = (self.ec2, self.context.deadline)
        let answer = try await self.look { () throws(AWSError) in
            (
                copy: try await ec2.snapshot(snapshot.id, deadline: deadline),
                original: try await ec2.volume(snapshot.volumeID, deadline: deadline)
            )
        }
        guard let answer else { return }
        guard let copy = answer.copy else { return self.statistics.cleanup_snapshots_deleted += 1 }
        guard copy.isOutdated(at: self.plan.now), answer.original == nil else { return }
        guard !self.isDryRun else { return self.statistics.cleanup_snapshots_deleted += 1 }
        let claim: Int64? = try await self.lock.session.run(
            SnapshotDeletion(snapshot: copy, cause: .safetyCopy, job: self.job).claim(self.retention)
        ).rows.first?.readOptional("claim")
        guard let claim else { return self.statistics.deferred += 1 }
        self.context.logger.notice("a safety snapshot is deleted after its time", metadata: copy.facts)
        var isNeeded = false
        let isDone = try await self.change("delete a snapshot") { deadline throws(AWSError) in
            do throws(AWSError) {
                try await ec2.deleteSnapshot(copy.id, deadline: deadline)
            } catch {
                guard error.awsCode == "InvalidSnapshot.InUse" else { throw error }
                isNeeded = true
            }
        }
        guard !isDone || isNeeded else { return self.statistics.cleanup_snapshots_deleted += 1 }
        _ = try await self.lock.session.run(SnapshotDeletion.withdrawal(claim))
    }
}

extension Volume {
    /// Who it belongs to and why it is to go, for the log.
    fileprivate var facts: Logger.Metadata {
        [
            "volume.id": "\(self.id)", "disk.user": "\(self.tags[DiskTag.user] ?? "")",
            "disk.name": "\(self.diskName ?? "")",
            "quarantine.since": "\(self.tags[DiskTag.quarantined] ?? "")",
            "quarantine.reason": "\(self.tags[DiskTag.quarantineReason] ?? "")",
        ]
    }

    fileprivate func tagsOfSafetyCopy(at time: Date) -> Tags {
        let now = time.rfc3339
        var tags: Tags = [
            DiskTag.safetySnapshot: "true",
            DiskTag.originalVolume: self.id.rawValue,
            DiskTag.quarantineTime: self.tags[DiskTag.quarantined] ?? now,
            DiskTag.quarantineDeletion: now,
            DiskTag.retentionDays: String(SafetyCopy.retentionDays),
        ]
        tags[DiskTag.user] = self.tags[DiskTag.user]
        tags[DiskTag.olderDisk] = self.diskName
        return tags
    }
}

extension Snapshot {
    fileprivate var facts: Logger.Metadata {
        [
            "snapshot.id": "\(self.id)", "volume.id": "\(self.volumeID)",
            "disk.user": "\(self.tags[DiskTag.user] ?? "")",
            "disk.name": "\(self.tags[DiskTag.olderDisk] ?? "")",
            "quarantine.deletion": "\(self.tags[DiskTag.quarantineDeletion] ?? "")",
        ]
    }
}

extension AWSError {
    /// Whether a snapshot cannot be begun now, but in a while: too many are under way.
    fileprivate var isForLater: Bool {
        ["ConcurrentSnapshotLimitExceeded", "SnapshotCreationPerVolumeRateExceeded"].contains(self.awsCode)
            || self.code == .throttled
    }
}
