import AWS
import FoundationEssentials
import Jobs
import Logging
import Postgres

/// `disk.restore`: gives a reservation its disk, as a volume in the zone where its machine is.
///
/// A volume that is there holds newer data than any snapshot and is used again; otherwise the newest good snapshot
/// becomes a volume, and a disk that never had data gets an empty one.
struct RestoreDisk: JobHandler {
    static let kind: JobKind = "disk.restore"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, Sendable {
        let user: UserID
        let disk: DiskName
        let reservation: ReservationID
        let zone: AvailabilityZone
        let size: DiskSize?
        let operation: OperationID?

        init(from decoder: any Decoder) throws {
            let (user, disk, reservation, zone, size, operation) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<ReservationID>.required("reservation_id"),
                PayloadField<AvailabilityZone>.required("availability_zone"),
                PayloadField<DiskSize?>.optional("size_gb"),
                PayloadField<OperationID?>.optional("operation_id")
            )
            self.user = user
            self.disk = disk
            self.reservation = reservation
            self.zone = zone
            self.size = size
            self.operation = operation
        }
    }

    private struct Restored: Encodable, Sendable {
        let user_id: String
        let disk_name: String
        let reservation_id: String
        let volume_id: String
        let availability_zone: String
        let size_gb: Int
        let snapshot_id: Nullable<String>
        let is_new: Bool
        let created: Bool
    }

    /// How soon to look again at what other jobs or people are busy with, and at a volume that is being made.
    private static let patience: (others: Duration, own: Duration) = (.seconds(15), .seconds(5))

    func exclusiveKey(for payload: Payload) -> String? {
        DiskKey(payload.user, payload.disk).description
    }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            return .rejected(.unknownDisk(payload.user, payload.disk))
        }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            let hold = DiskHold(
                user: payload.user,
                disk: payload.disk,
                reservation: payload.reservation,
                database: self.database
            )
            switch try await hold.take() {
            case .over(let fate): return fate
            case .done(let disk): return try await self.restore(disk, for: job)
            }
        }
    }
}

extension RestoreDisk {
    private func restore(_ disk: Disk, for job: Job<Payload>) async throws -> Fate {
        let deadline = job.context.deadline
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        let volumes = try await DiskVolumes(of: disk, in: self.ec2, self.database, deadline: deadline)
        switch volumes.current(of: job.payload.reservation) {
        case .unclear:
            let message =
                "the disk has volumes \(volumes.live.map(\.id)), and which is the current one is not clear yet"
            return .snooze(Self.patience.others, Reason("duplicate-volumes", message))
        case .one(let volume):
            return try await self.use(volume, among: volumes, snapshots, disk, job)
        case .none:
            return try await self.make(volumes, snapshots, disk, job)
        }
    }

    /// Uses a volume that is there: as it is, or by way of a snapshot if it is in another zone.
    private func use(
        _ volume: Volume,
        among volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ disk: Disk,
        _ job: Job<Payload>,
    ) async throws -> Fate {
        if let refusal = volume.refusal(as: disk) { return .rejected(refusal) }
        let isOwn = volume.reservation == job.payload.reservation.description
        if let other = volumes.live.first(where: { $0.isAttached && !(isOwn && $0.id == volume.id) }) {
            let message = "volume \(other.id) of the disk is still attached to an instance"
            return .snooze(Self.patience.others, Reason("volume-in-use", message))
        }
        guard volume.state != .creating else {
            return .snooze(Self.patience.own, Reason("volume-pending", "volume \(volume.id) is being made"))
        }
        guard volume.availabilityZone == job.payload.zone.description else {
            return try await self.move(volume, snapshots, disk, job)
        }
        if !isOwn || volume.tags[DiskTag.disk] != disk.name {
            let tags = [
                DiskTag.user: disk.user, DiskTag.disk: disk.name,
                DiskTag.reservation: job.payload.reservation.description,
            ]
            try await self.ec2.createTags(tags, on: [volume.id], deadline: job.context.deadline)
        }
        let removal = VolumeRemoval(ec2: self.ec2, disk: disk, context: job.context)
        for broken in volumes.broken
        where !job.context.isDryRun && broken.reservation == job.payload.reservation.description {
            let reason = "it never came to life, and \(volume.id) did"
            let step = try await removal.delete(broken.id, of: job.payload.reservation, because: reason)
            if case .over(let fate) = step { return fate }
        }
        return .success(self.success(volume, snapshots, disk, job))
    }

    /// Takes a volume away that is in another zone, when a snapshot of it is complete.
    private func move(_ volume: Volume, _ snapshots: DiskSnapshots, _ disk: Disk, _ job: Job<Payload>)
        async throws -> Fate
    {
        guard !volume.isAttached else {
            let message = "volume \(volume.id) is attached in \(volume.availabilityZone)"
            return .rejected(Reason("wrong-zone", message))
        }
        let label = SnapshotLabel(user: job.payload.user, disk: job.payload.disk, type: .migration)
        let copy = FinalSnapshot(of: label, for: job, in: self.ec2)
        switch try await copy.completed(of: volume, after: snapshots) {
        case .over(let fate):
            return fate
        case .done(let snapshot):
            let reason = "its data is in \(snapshot.id) and needed in \(job.payload.zone)"
            let removal = VolumeRemoval(ec2: self.ec2, disk: disk, context: job.context)
            if case .over(let fate) = try await removal.delete(volume.id, because: reason) { return fate }
            return .snooze(
                Self.patience.own,
                Reason("volume-moving", "volume \(volume.id) is being replaced")
            )
        }
    }

    /// Makes a volume; the job comes back when it is available.
    private func make(_ volumes: DiskVolumes, _ snapshots: DiskSnapshots, _ disk: Disk, _ job: Job<Payload>)
        async throws -> Fate
    {
        let payload = job.payload
        if let pending = snapshots.pending.first {
            let message =
                "snapshot \(pending.id) is not complete (\(pending.progress)) and may hold newer data"
            return .snooze(Self.patience.others, Reason("snapshot-pending", message))
        }
        for failed in snapshots.recentFailures {
            job.context.logger.warning(
                "a snapshot in error is passed over",
                metadata: ["aws.snapshot": "\(failed.id)"]
            )
        }
        let source = snapshots.newest
        if source == nil, let last = disk.lastSnapshot {
            let message = "a snapshot was taken at \(last.rfc3339), but none that is good can be found now"
            return .rejected(Reason("snapshots-missing", message))
        }
        let broken = volumes.broken.filter { $0.reservation == payload.reservation.description }
        guard broken.count < 2 else { return try await self.giveUp(broken, disk, job) }
        let wish = payload.size?.gibibytes
        let settings = VolumeSettings(
            availabilityZone: payload.zone.description,
            size: max(disk.size ?? wish ?? DiskSize.usual.gibibytes, wish ?? 1, source?.volumeSize ?? 1),
            snapshotID: source?.id
        )
        let volume = try await NewVolume(settings, for: disk, job).made(by: self.ec2, after: volumes)
        try await self.note(volume, disk, payload)
        guard volume.state == .available else {
            return .snooze(Self.patience.own, Reason("volume-pending", "volume \(volume.id) is being made"))
        }
        return try await self.use(volume, among: volumes, snapshots, disk, job)
    }

    /// Ends the job when a second volume did not come to life either.
    private func giveUp(_ broken: [Volume], _ disk: Disk, _ job: Job<Payload>) async throws -> Fate {
        let removal = VolumeRemoval(ec2: self.ec2, disk: disk, context: job.context)
        for volume in broken where !job.context.isDryRun {
            let step = try await removal.delete(
                volume.id,
                of: job.payload.reservation,
                because: "it never came to life"
            )
            if case .over(let fate) = step { return fate }
        }
        let message = "EC2 could not make a volume: \(broken.map(\.id)) ended in error"
        let forget: SQL = """
            UPDATE disks SET ebs_volume_id = NULL
            WHERE disk_id = \(disk.id) AND reservation_id = \(job.payload.reservation.description)
            """
        return .rejected(Reason("volume-failed", message), writes: [Write(forget)])
    }

    /// Lets the row name the volume from its beginning, so that nobody takes it for an orphan.
    private func note(_ volume: Volume, _ disk: Disk, _ payload: Payload) async throws {
        _ = try await self.database.run(
            """
            UPDATE disks SET ebs_volume_id = \(volume.id.rawValue)
            WHERE disk_id = \(disk.id) AND reservation_id = \(payload.reservation.description)
            """
        )
    }

    private func success(_ volume: Volume, _ snapshots: DiskSnapshots, _ disk: Disk, _ job: Job<Payload>)
        -> Success
    {
        let reservation = job.payload.reservation.description
        let isCreated = volume.tags[EC2Client.operationTag] == job.id.description
        let source = isCreated ? snapshots.all.first { $0.id == volume.snapshotID } : nil
        let isInitial = source?.tags[DiskTag.snapshotType] == SnapshotType.initial.rawValue
        let update: SQL = """
            UPDATE disks SET ebs_volume_id = \(volume.id.rawValue), size_gb = \(volume.size)
            WHERE disk_id = \(disk.id) AND in_use AND reservation_id = \(reservation)
            """
        let place: SQL = """
            UPDATE reservations SET ebs_volume_id = \(volume.id.rawValue),
                ebs_availability_zone = \(volume.availabilityZone), disk_name = \(disk.name)
            WHERE reservation_id = \(reservation)
            """
        return Success(
            subject: disk.subject,
            data: Restored(
                user_id: disk.user,
                disk_name: disk.name,
                reservation_id: reservation,
                volume_id: volume.id.rawValue,
                availability_zone: volume.availabilityZone,
                size_gb: volume.size,
                snapshot_id: Nullable(isCreated ? volume.snapshotID?.rawValue : nil),
                is_new: isCreated && (volume.snapshotID == nil || isInitial),
                created: isCreated
            ),
            writes: [Write(update, affecting: 1), Write(place, affecting: 1)]
        )
    }
}
