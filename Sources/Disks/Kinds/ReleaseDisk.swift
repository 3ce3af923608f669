import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform
import Postgres

/// `disk.release`: frees the disk of a reservation that is over, when its data is safe in a snapshot.
///
/// Where that cannot be had the disk stays held: to free it would hand the data of an earlier day to whoever comes
/// next.
struct ReleaseDisk: JobHandler {
    static let kind: JobKind = "disk.release"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: DryRunPayload {
        let user: UserID
        let disk: DiskName
        let reservation: ReservationID
        let type: SnapshotType
        let content: ContentURI?
        let usage: DiskUsage?
        let isDryRun: Bool

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .required("reservation_id", "The reservation that holds the disk."),
            .snapshotType,
            .content,
            .usage,
            .dryRun
        )
    }

    struct Event: EventData {
        let user: UserID
        let disk: DiskName
        let reservation: ReservationID
        let snapshot: SnapshotID?
        let volume: VolumeID?
        let isReleased: Bool
        let isDryRun: Bool

        static let shape = EventShape<Event>(
            .owner { $0.user.description },
            .disk { $0.disk.description },
            .reservation { $0.reservation.description },
            .nullable(
                "snapshot_id",
                "The completed snapshot that holds the data; null if there was no volume.",
                as: SnapshotID.schema
            ) { $0.snapshot?.rawValue },
            .nullable(
                "volume_id",
                "The volume that was deleted; null if there was none.",
                as: VolumeID.schema
            ) { $0.volume?.rawValue },
            .field(
                "released",
                "False when another reservation holds the disk, or none: then nothing was changed."
            ) { $0.isReleased },
            .dryRun { $0.isDryRun }
        )
    }

    /// How soon to look again.
    private static let pollInterval: Duration = .seconds(15)

    /// How long a reservation may take to be over, whose end and whose release were ordered together.
    private static let timeToEnd: Duration = .seconds(600)

    /// How long a volume may stay attached before it is taken off.
    private static let timeToDetach: Duration = .seconds(600)

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database),
            disk.holder == payload.reservation.description
        else { return self.success(of: job, isReleased: false) }
        if let status = disk.holderStatus, !disk.isHolderOver {
            let message = "reservation \(payload.reservation) is \(status): its disk is released at its end"
            let reason = Reason("reservation-live", message)
            guard job.context.waited < Self.timeToEnd else { throw Conclusion.rejected(reason) }
            throw Conclusion.snooze(Self.pollInterval, reason)
        }
        let (state, volumes, snapshots) = try await NewestState.read(
            of: disk,
            for: .release,
            of: payload.reservation,
            job,
            in: self.ec2,
            self.database
        )
        return try await self.release(disk, state, volumes, snapshots, job)
    }
}

extension ReleaseDisk {
    private func release(
        _ disk: Disk,
        _ state: NewestState,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ job: Job<Payload>,
    ) async throws -> Success {
        switch state.finding {
        case .unclear(let doubt):
            throw doubt.conclusion(in: Self.kind, of: disk, isDryRun: job.isDryRun)
        case .volume(let volume):
            if let refusal = volume.refusal(as: disk) { throw Conclusion.rejected(refusal) }
            return try await self.release(disk, keeping: volume, snapshots, job)
        case .pending(let pending):
            let message =
                "snapshot \(pending.id) is not complete (\(pending.progress)), and there is no volume any more"
            throw Conclusion.snooze(Self.pollInterval, Reason("snapshot-pending", message))
        case .snapshot, .nothing:
            guard disk.isInUse else { return self.forgetting(disk, job) }
            return try await self.releaseWithoutVolume(disk, volumes, snapshots, job)
        }
    }

    /// What a free row says of its last holder is history, and nobody need look into it again.
    private func forgetting(_ disk: Disk, _ job: Job<Payload>) -> Success {
        guard !job.isDryRun, let volume = disk.volume else { return self.success(of: job, isReleased: false) }
        let forget: SQL = """
            UPDATE disks SET reservation_id = NULL, ebs_volume_id = NULL
            WHERE disk_id = \(disk.id) AND reservation_id = \(job.payload.reservation.description)
                AND in_use IS NOT TRUE AND ebs_volume_id = \(volume.rawValue)
            """
        return self.success(of: job, isReleased: false, [Write(forget)])
    }

    /// Off the machine, into a snapshot, and only then away.
    private func release(
        _ disk: Disk,
        keeping volume: Volume,
        _ earlier: DiskSnapshots,
        _ job: Job<Payload>,
    ) async throws -> Success {
        let payload = job.payload
        guard !job.isDryRun else {
            return self.success(of: job, isReleased: true, volume: volume.id)
        }
        guard !volume.isAttached else { throw try await self.detach(volume, job) }
        guard volume.state == .available else {
            let message = "volume \(volume.id) is neither attached nor available"
            throw Conclusion.snooze(Self.pollInterval, Reason("volume-pending", message))
        }
        let label = SnapshotLabel(
            user: payload.user,
            disk: payload.disk,
            type: payload.type,
            content: payload.content,
            usage: payload.usage
        )
        let copy = FinalSnapshot(of: label, for: job, in: self.ec2)
        let snapshot: Snapshot
        do {
            snapshot = try await copy.completed(of: volume, after: earlier)
        } catch let conclusion as Conclusion {
            try await self.snapshots(of: disk, job).follow(disk, in: self.database)
            throw conclusion
        }
        let snapshots = try await self.snapshots(of: disk, job)
        let deletion = VolumeDeletion(ec2: self.ec2, disk: disk, context: job.context)
        let reason = "its data is in \(snapshot.id)"
        try await deletion.delete(volume.id, of: payload.reservation, because: reason)
        return self.success(of: job, disk, snapshots, snapshot: snapshot.id, volume: volume.id)
    }

    private func snapshots(of disk: Disk, _ job: Job<Payload>) async throws -> DiskSnapshots {
        try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
    }

    /// Waits until the volume is off its machine by itself; after a while it is taken off.
    private func detach(_ volume: Volume, _ job: Job<Payload>) async throws -> Conclusion {
        let message = "volume \(volume.id) is still attached to \(volume.attachments.map(\.instanceID))"
        let wait = Conclusion.snooze(Self.pollInterval, Reason("volume-in-use", message))
        guard job.context.waited >= Self.timeToDetach else { return wait }
        var isForced = true
        for attachment in volume.attachments where attachment.state != .detached {
            let state = try await self.ec2.instanceState(
                attachment.instanceID,
                deadline: job.context.deadline
            )
            isForced = isForced && (state == nil || state == .terminated)
        }
        job.context.logger.notice(
            "a volume is detached",
            metadata: [
                "aws.volume": "\(volume.id)", "reservation.id": "\(job.payload.reservation)",
                "reason": "the reservation is over", "forced": "\(isForced)",
            ]
        )
        try await self.ec2.detachVolume(volume.id, force: isForced, deadline: job.context.deadline)
        return wait
    }

    /// The disk has no volume: it never had one, or an earlier attempt has deleted it already.
    private func releaseWithoutVolume(
        _ disk: Disk,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        _ job: Job<Payload>,
    ) async throws -> Success {
        let own = snapshots.all.filter { snapshot in
            snapshot.tags[EC2Client.operationTag] == job.id.description && snapshot.state == .completed
        }
        guard !job.isDryRun else { return self.success(of: job, isReleased: true) }
        let deletion = VolumeDeletion(ec2: self.ec2, disk: disk, context: job.context)
        for broken in volumes.broken where broken.reservation == disk.holder {
            try await deletion.delete(
                broken.id,
                of: job.payload.reservation,
                because: "it never came to life"
            )
        }
        let (snapshot, volume) = (own.last?.id, own.last?.volumeID)
        return self.success(of: job, disk, snapshots, snapshot: snapshot, volume: volume)
    }

    private func success(
        of job: Job<Payload>,
        _ disk: Disk,
        _ snapshots: DiskSnapshots,
        snapshot: SnapshotID?,
        volume: VolumeID?,
    ) -> Success {
        let hold = DiskHold(
            user: job.payload.user,
            disk: job.payload.disk,
            reservation: job.payload.reservation,
            database: self.database
        )
        let writes = [Write(snapshots.update(of: disk)), Write(hold.release(disk), affecting: 1)]
        return self.success(of: job, isReleased: true, snapshot: snapshot, volume: volume, writes)
    }

    private func success(
        of job: Job<Payload>,
        isReleased: Bool,
        snapshot: SnapshotID? = nil,
        volume: VolumeID? = nil,
        _ writes: [Write] = [],
    ) -> Success {
        let payload = job.payload
        return Success(
            subject: EventSubject("disk", payload.user.description, payload.disk.description),
            data: Event(
                user: payload.user,
                disk: payload.disk,
                reservation: payload.reservation,
                snapshot: snapshot,
                volume: volume,
                isReleased: isReleased,
                isDryRun: job.isDryRun
            ),
            writes: writes
        )
    }
}

extension ReleaseDisk {
    static let documentation = KindDocumentation(
        "Free a reservation's disk when its data is safe",
        summary:
            "takes a snapshot, waits for its completion, deletes the volume, and only then frees the disk",
        """
        Waits until the volume is detached, takes a snapshot, waits until it is complete, deletes the \
        volume and frees the disk. Only the reservation that holds the disk can have it freed.
        """,
        examples: [
            [
                "user_id": "alice@example.com",
                "disk_name": "home",
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
            ]
        ],
        authority: .init(
            sentBy: "follow-up",
            canHarm: "deletes a volume after its snapshot is complete",
            undoneBy: "restore from that snapshot",
            provedBy: "row: the reservation holds the disk; tags of the volume"
        ),
        event: .init(
            "A disk is free",
            "The data of disk.release.completed.",
            examples: [
                [
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "snapshot_id": "snap-0a1b2c3d4e5f60718",
                    "volume_id": "vol-0a1b2c3d4e5f60718",
                    "released": true,
                    "dry_run": false,
                ]
            ]
        )
    )
}
