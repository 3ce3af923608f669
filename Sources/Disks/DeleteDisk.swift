import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `disk.delete`: marks a disk as deleted, and its snapshots with the day from which they may be purged.
///
/// The row comes first: a snapshot that is marked while its disk lives would be lost on that day.
struct DeleteDisk: JobHandler {
    static let kind: JobKind = "disk.delete"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, DryRunPayload {
        let user: UserID
        let disk: DiskName
        let date: Day?
        let operation: OperationID?
        let isDryRun: Bool

        init(from decoder: any Decoder) throws {
            let (user, disk, date, operation, dryRun) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<Day?>.optional("delete_date"),
                PayloadField<OperationID?>.optional("operation_id"),
                PayloadField<Switch?>.optional("dry_run")
            )
            self.user = user
            self.disk = disk
            self.date = date
            self.operation = operation
            self.isDryRun = dryRun?.isOn ?? false
        }
    }

    private struct Deleted: Encodable, Sendable {
        let user_id: String
        let disk_name: String
        let delete_date: String
        let tagged_snapshots: Int
        let snapshot_id: Nullable<String>
        let volume_id: Nullable<String>
        let dry_run: Bool
    }

    /// How long the data is kept where nothing else is said, in days.
    private static let usualTerm = 30

    func exclusiveKey(for payload: Payload) -> String? {
        DiskKey(payload.user, payload.disk).description
    }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            return .rejected(.unknownDisk(payload.user, payload.disk))
        }
        guard !job.isDryRun else { return try await self.delete(disk, job) }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            try await self.delete(disk, job)
        }
    }
}

extension DeleteDisk {
    private func delete(_ disk: Disk, _ job: Job<Payload>) async throws -> Fate {
        let deadline = job.context.deadline
        let date = job.payload.date ?? disk.dueDate ?? Day.today.adding(days: Self.usualTerm)
        let volumes = try await DiskVolumes(of: disk, in: self.ec2, self.database, deadline: deadline)
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        if let refusal = self.refusal(disk, date, volumes, snapshots) { return .rejected(refusal) }
        guard !job.isDryRun else {
            let count = snapshots.all.count
            return .success(self.success(disk, date, tagged: count, nil, volumes.live.first?.id, job))
        }
        guard try await self.mark(disk, date) else {
            return .retry(Reason("row-changed", "the disk was free a moment ago"))
        }
        return try await self.follow(disk, date, volumes, snapshots, job)
    }

    private func refusal(_ disk: Disk, _ date: Day, _ volumes: DiskVolumes, _ snapshots: DiskSnapshots)
        -> Reason?
    {
        if let foreign = volumes.live.lazy.compactMap({ $0.refusal(as: disk) }).first { return foreign }
        if !disk.isDeleted {
            if disk.isInUse { return .inUse(disk) }
            if let volume = volumes.live.first(where: \.isAttached) {
                return Reason("disk-in-use", "volume \(volume.id) of the disk is attached to an instance")
            }
            if disk.isBackingUp || !snapshots.pending.isEmpty {
                return Reason(
                    "disk-backing-up",
                    "a snapshot of the disk is not complete yet; try again when it is"
                )
            }
        }
        guard date >= .today || date == disk.dueDate else {
            return Reason("delete-date-past", "\(date) is over; name today or a later day")
        }
        return nil
    }

    /// Makes the row say so; false if the disk has come into use.
    private func mark(_ disk: Disk, _ date: Day) async throws -> Bool {
        let marked = try await self.database.run(
            """
            UPDATE disks SET is_deleted = true, delete_date = \(date.description)::date,
                in_use = false, reservation_id = NULL
            WHERE disk_id = \(disk.id) AND in_use IS NOT TRUE AND coalesce(is_deleted, false) = \(disk.isDeleted)
            """
        )
        return marked.affectedRows == 1
    }

    /// What belongs to the disk follows the row: its snapshots, and a volume that was left over.
    private func follow(
        _ disk: Disk,
        _ date: Day,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ job: Job<Payload>,
    ) async throws -> Fate {
        let unmarked = snapshots.all.filter { $0.tags[DiskTag.deleteDate] != date.description }
        let tags = SnapshotLabel.tags(deleting: date)
        try await self.ec2.createTags(tags, on: unmarked.map(\.id), deadline: job.context.deadline)
        let label = SnapshotLabel(
            user: job.payload.user,
            disk: job.payload.disk,
            type: .shutdown,
            deleteDate: date
        )
        let copy = FinalSnapshot(of: label, for: job, in: self.ec2)
        let removal = VolumeRemoval(ec2: self.ec2, disk: disk, context: job.context)
        for volume in volumes.live {
            switch try await copy.completed(of: volume, after: snapshots) {
            case .over(let fate): return fate
            case .done(let snapshot):
                let reason = "its disk is deleted, and its data is in \(snapshot.id)"
                let deletion = try await removal.delete(volume.id, because: reason)
                if case .over(let fate) = deletion { return fate }
            }
        }
        let after = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
        let last = after.all.last { $0.tags[EC2Client.operationTag] == job.id.description }
        let forget = Write("UPDATE disks SET ebs_volume_id = NULL WHERE disk_id = \(disk.id)")
        let count = after.all.count { $0.tags[DiskTag.deleteDate] == date.description }
        return .success(self.success(disk, date, tagged: count, last?.id, last?.volumeID, job, [forget]))
    }

    private func success(
        _ disk: Disk,
        _ date: Day,
        tagged: Int,
        _ snapshot: SnapshotID?,
        _ volume: VolumeID?,
        _ job: Job<Payload>,
        _ writes: [Write] = [],
    ) -> Success {
        Success(
            subject: disk.subject,
            data: Deleted(
                user_id: disk.user,
                disk_name: disk.name,
                delete_date: date.description,
                tagged_snapshots: tagged,
                snapshot_id: Nullable(snapshot?.rawValue),
                volume_id: Nullable(volume?.rawValue),
                dry_run: job.isDryRun
            ),
            writes: writes
        )
    }
}

extension Disk {
    /// The day from which its data may be purged; nil while it lives.
    var dueDate: Day? { self.isDeleted ? self.deleteDate : nil }
}
