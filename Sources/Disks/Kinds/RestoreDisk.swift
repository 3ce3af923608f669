import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform
import Postgres

/// `disk.restore`: gives a reservation its disk, as a volume in the zone where its machine is.
///
/// A volume that is there holds newer data than any snapshot and is used again; otherwise the newest good snapshot
/// becomes a volume, and a disk that never had data gets an empty one.
struct RestoreDisk: JobHandler {
    static let kind: JobKind = "disk.restore"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let reservation: ReservationID
        let zone: AvailabilityZone
        let size: DiskSize?
        let operation: OperationID?

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .required("reservation_id", "The reservation that takes the disk."),
            .required("availability_zone", "Where the volume is needed, such as us-east-2a."),
            .optional("size_gb", "The least size of the volume in GiB; the disk's own when left out."),
            .operation
        )
    }

    struct Event: EventData {
        let user: String
        let disk: String
        let reservation: String
        let volume: Volume
        let snapshot: SnapshotID?
        let isNew: Bool
        let isCreated: Bool

        static let shape = EventShape<Event>(
            .owner { $0.user },
            .disk { $0.disk },
            .reservation { $0.reservation },
            .field(
                "volume_id",
                "The volume that holds the disk's data.",
                as: VolumeID.schema
            ) { $0.volume.id.rawValue },
            .field(
                "availability_zone",
                "The availability zone, such as us-east-2a.",
                as: AvailabilityZone.schema
            ) { $0.volume.availabilityZone },
            .field(
                "size_gb",
                "The size in GiB, within the limits of gp3.",
                as: DiskSize.schema
            ) { $0.volume.size },
            .nullable(
                "snapshot_id",
                """
                The snapshot that the volume was made of; null for an empty volume or one that was there.
                """,
                as: SnapshotID.schema
            ) { $0.snapshot?.rawValue },
            .field(
                "is_new",
                "Whether the disk is empty or of an initial snapshot, so that its home is to be set up."
            ) { $0.isNew },
            .field("created", "False when a volume that was there already is used again.") { $0.isCreated }
        )
    }

    /// How soon to look again at what other jobs or people are busy with, and at a volume that is being made.
    private static let pollInterval: (others: Duration, own: Duration) = (.seconds(15), .seconds(5))

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func writesOnDeath(of payload: Payload, because reason: Reason) -> [Write] {
        DiskOperation.failure(of: payload.operation, DiskKey(payload.user, payload.disk), because: reason)
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            throw Conclusion.rejected(.unknownDisk(payload.user, payload.disk))
        }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            let hold = DiskHold(
                user: payload.user,
                disk: payload.disk,
                reservation: payload.reservation,
                database: self.database
            )
            return try await self.restore(try await hold.take(), for: job)
        }
    }
}

extension RestoreDisk {
    private func restore(_ disk: Disk, for job: Job<Payload>) async throws -> Success {
        let (state, volumes, snapshots) = try await NewestState.read(
            of: disk,
            for: .handingOut,
            of: job.payload.reservation,
            job,
            in: self.ec2,
            self.database
        )
        switch state.finding {
        case .unclear(let doubt):
            throw doubt.conclusion(in: Self.kind, of: disk, writes: self.givenBack(disk, volumes, job))
        case .volume(let volume):
            return try await self.use(volume, among: volumes, snapshots, disk, job)
        case .pending(let pending):
            let message =
                "snapshot \(pending.id) is not complete (\(pending.progress)) and may hold newer data"
            throw Conclusion.snooze(Self.pollInterval.others, Reason("snapshot-pending", message))
        case .snapshot(let source):
            return try await self.make(from: source, volumes, snapshots, disk, job)
        case .nothing:
            return try await self.make(from: nil, volumes, snapshots, disk, job)
        }
    }

    /// Frees the disk again of which the reservation has had nothing, so that no release has to wait for a person too.
    private func givenBack(_ disk: Disk, _ volumes: DiskVolumes, _ job: Job<Payload>) -> [Write] {
        let reservation = job.payload.reservation.description
        guard disk.handedOutVolume == nil,
            !volumes.live.contains(where: { $0.isAttached || $0.reservation == reservation })
        else { return [] }
        let release: SQL = """
            UPDATE disks SET in_use = false, reservation_id = NULL
            WHERE disk_id = \(disk.id) AND reservation_id = \(reservation)
            """
        return [Write(release)]
    }

    /// Uses a volume that is there: as it is, or by way of a snapshot if it is in another zone.
    private func use(
        _ volume: Volume,
        among volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ disk: Disk,
        _ job: Job<Payload>,
    ) async throws -> Success {
        if let refusal = volume.refusal(as: disk) { throw Conclusion.rejected(refusal) }
        let isOwn = volume.reservation == job.payload.reservation.description
        if let other = volumes.live.first(where: { $0.isAttached && !(isOwn && $0.id == volume.id) }) {
            let message = "volume \(other.id) of the disk is still attached to an instance"
            throw Conclusion.snooze(Self.pollInterval.others, Reason("volume-in-use", message))
        }
        guard volume.state != .creating else {
            throw Conclusion.snooze(
                Self.pollInterval.own,
                Reason("volume-pending", "volume \(volume.id) is being made")
            )
        }
        guard volume.availabilityZone == job.payload.zone.description else {
            throw try await self.move(volume, snapshots, disk, job)
        }
        if !isOwn || volume.tags[DiskTag.disk] != disk.name {
            let tags = [
                DiskTag.user: disk.user, DiskTag.disk: disk.name,
                DiskTag.reservation: job.payload.reservation.description,
            ]
            try await self.ec2.createTags(tags, on: [volume.id], deadline: job.context.deadline)
        }
        let deletion = VolumeDeletion(ec2: self.ec2, disk: disk, context: job.context)
        for broken in volumes.broken
        where !job.context.isDryRun && broken.reservation == job.payload.reservation.description {
            let reason = "it never came to life, and \(volume.id) did"
            try await deletion.delete(broken.id, of: job.payload.reservation, because: reason)
        }
        return self.success(volume, snapshots, disk, job)
    }

    /// Takes a volume away that is in another zone, when a snapshot of it is complete.
    private func move(_ volume: Volume, _ snapshots: DiskSnapshots, _ disk: Disk, _ job: Job<Payload>)
        async throws -> Conclusion
    {
        guard !volume.isAttached else {
            let message = "volume \(volume.id) is attached in \(volume.availabilityZone)"
            return .rejected(Reason("wrong-zone", message))
        }
        let label = SnapshotLabel(user: job.payload.user, disk: job.payload.disk, type: .migration)
        let copy = FinalSnapshot(of: label, for: job, in: self.ec2)
        let snapshot = try await copy.completed(of: volume, after: snapshots)
        let reason = "its data is in \(snapshot.id) and needed in \(job.payload.zone)"
        let deletion = VolumeDeletion(ec2: self.ec2, disk: disk, context: job.context)
        try await deletion.delete(volume.id, because: reason)
        return .snooze(
            Self.pollInterval.own,
            Reason("volume-moving", "volume \(volume.id) is being replaced")
        )
    }

    /// Makes a volume; the job comes back when it is available.
    private func make(
        from source: Snapshot?,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ disk: Disk,
        _ job: Job<Payload>,
    ) async throws -> Success {
        let payload = job.payload
        for failed in snapshots.recentFailures {
            job.context.logger.warning(
                "a snapshot in error is passed over",
                metadata: ["aws.snapshot": "\(failed.id)"]
            )
        }
        let broken = volumes.broken.filter { $0.reservation == payload.reservation.description }
        guard broken.count < 2 else { throw try await self.giveUp(broken, disk, job) }
        let wish = payload.size?.gibibytes
        let settings = VolumeSettings(
            availabilityZone: payload.zone.description,
            size: max(disk.size ?? wish ?? DiskSize.usual, wish ?? 1, source?.volumeSize ?? 1),
            snapshotID: source?.id
        )
        let now = try await self.database.now()
        let volume = try await NewVolume(settings, for: disk, job, at: now).made(by: self.ec2, after: volumes)
        try await self.note(volume, disk, payload)
        guard volume.state == .available else {
            throw Conclusion.snooze(
                Self.pollInterval.own,
                Reason("volume-pending", "volume \(volume.id) is being made")
            )
        }
        return try await self.use(volume, among: volumes, snapshots, disk, job)
    }

    /// Ends the job when a second volume did not come to life either.
    private func giveUp(_ broken: [Volume], _ disk: Disk, _ job: Job<Payload>) async throws -> Conclusion {
        let deletion = VolumeDeletion(ec2: self.ec2, disk: disk, context: job.context)
        for volume in broken where !job.context.isDryRun {
            try await deletion.delete(
                volume.id,
                of: job.payload.reservation,
                because: "it never came to life"
            )
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
            data: Event(
                user: disk.user,
                disk: disk.name,
                reservation: reservation,
                volume: volume,
                snapshot: isCreated ? volume.snapshotID : nil,
                isNew: isCreated && (volume.snapshotID == nil || isInitial),
                isCreated: isCreated
            ),
            writes: [Write(update, affecting: 1), Write(place, affecting: 1)]
        )
    }
}

extension RestoreDisk {
    static let documentation = KindDocumentation(
        "Give a reservation its disk",
        summary: "gives a reservation its disk: a volume of the newest complete snapshot, or an empty one",
        """
        Takes the disk for the reservation and makes its volume: of the newest good snapshot, or empty if \
        there is none; a volume that is left over and holds newer data is used again. The disk must \
        exist.
        """,
        examples: [
            [
                "user_id": "alice@example.com",
                "disk_name": "home",
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "availability_zone": "us-east-2a",
            ]
        ],
        authority: .init(
            sentBy: "platform",
            canHarm: "gives a user's data to a reservation",
            undoneBy: "nothing lost",
            provedBy: """
                row: reservation's `user_id` or `secondary_users` is the disk's user; tags of the \
                snapshot or volume used
                """
        ),
        event: .init(
            "A reservation has its disk",
            "The data of disk.restore.completed. The volume is available in the zone.",
            examples: [
                [
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "volume_id": "vol-0a1b2c3d4e5f60718",
                    "availability_zone": "us-east-2a",
                    "size_gb": 1024,
                    "snapshot_id": "snap-0a1b2c3d4e5f60718",
                    "is_new": false,
                    "created": true,
                ]
            ]
        )
    )
}
