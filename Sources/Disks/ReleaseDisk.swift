import AWS
import FoundationEssentials
import Jobs
import Logging
import Postgres

/// `disk.release`: frees the disk of a reservation that is over, when its data is safe in a snapshot.
///
/// Where that cannot be had the disk stays held: to free it would hand the data of an earlier day to whoever comes
/// next.
struct ReleaseDisk: JobHandler {
    static let kind: JobKind = "disk.release"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, DryRunPayload {
        let user: UserID
        let disk: DiskName
        let reservation: ReservationID
        let type: SnapshotType
        let content: ContentURI?
        let usage: DiskUsage?
        let isDryRun: Bool

        init(from decoder: any Decoder) throws {
            let (user, disk, reservation, type, content, usage, dryRun) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<ReservationID>.required("reservation_id"),
                PayloadField<SnapshotType?>.optional("snapshot_type"),
                PayloadField<ContentURI?>.optional("content_s3_uri"),
                PayloadField<DiskUsage?>.optional("disk_size"),
                PayloadField<Switch?>.optional("dry_run")
            )
            self.user = user
            self.disk = disk
            self.reservation = reservation
            self.type = type ?? .shutdown
            self.content = content
            self.usage = usage
            self.isDryRun = dryRun?.isOn ?? false
        }
    }

    private struct Released: Encodable, Sendable {
        let user_id: String
        let disk_name: String
        let reservation_id: String
        let snapshot_id: Nullable<String>
        let volume_id: Nullable<String>
        let released: Bool
        let dry_run: Bool
    }

    /// How soon to look again.
    private static let patience: Duration = .seconds(15)

    /// How long a volume may stay attached before it is taken off.
    private static let timeToDetach: Duration = .seconds(600)

    func exclusiveKey(for payload: Payload) -> String? {
        DiskKey(payload.user, payload.disk).description
    }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database),
            disk.holder == payload.reservation.description
        else { return .success(self.success(of: job, isReleased: false)) }
        let deadline = job.context.deadline
        let volumes = try await DiskVolumes(of: disk, in: self.ec2, self.database, deadline: deadline)
        switch volumes.current(of: payload.reservation) {
        case .unclear:
            let message =
                "the disk has volumes \(volumes.live.map(\.id)), and which is the current one is not clear yet"
            return .snooze(Self.patience, Reason("duplicate-volumes", message))
        case .one(let volume):
            if let refusal = volume.refusal(as: disk) { return .rejected(refusal) }
            return try await self.release(disk, keeping: volume, job)
        case .none:
            // What a row that is free tells of its last holder is history.
            guard disk.isInUse else { return .success(self.success(of: job, isReleased: false)) }
            return try await self.releaseWithoutVolume(disk, volumes, job)
        }
    }
}

extension ReleaseDisk {
    /// Off the machine, into a snapshot, and only then away.
    private func release(_ disk: Disk, keeping volume: Volume, _ job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard !job.isDryRun else {
            return .success(self.success(of: job, isReleased: true, volume: volume.id))
        }
        guard !volume.isAttached else { return try await self.detach(volume, job) }
        guard volume.state == .available else {
            let message = "volume \(volume.id) is neither attached nor available"
            return .snooze(Self.patience, Reason("volume-pending", message))
        }
        let label = SnapshotLabel(
            user: payload.user,
            disk: payload.disk,
            type: payload.type,
            content: payload.content,
            usage: payload.usage
        )
        let copy = FinalSnapshot(of: label, for: job, in: self.ec2)
        let deadline = job.context.deadline
        var snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        let step = try await copy.completed(of: volume, after: snapshots)
        snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        switch step {
        case .over(let fate):
            try await snapshots.follow(disk, in: self.database)
            return fate
        case .done(let snapshot):
            let removal = VolumeRemoval(ec2: self.ec2, disk: disk, context: job.context)
            let reason = "its data is in \(snapshot.id)"
            let deletion = try await removal.delete(volume.id, of: payload.reservation, because: reason)
            if case .over(let fate) = deletion { return fate }
            return .success(self.success(of: job, disk, snapshots, snapshot: snapshot.id, volume: volume.id))
        }
    }

    /// Waits until the volume is off its machine by itself; after a while it is taken off.
    private func detach(_ volume: Volume, _ job: Job<Payload>) async throws -> Fate {
        let message = "volume \(volume.id) is still attached to \(volume.attachments.map(\.instanceID))"
        let wait = Fate.snooze(Self.patience, Reason("volume-in-use", message))
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

    /// The disk has no volume: it never had one, or an earlier try has deleted it already.
    private func releaseWithoutVolume(_ disk: Disk, _ volumes: DiskVolumes, _ job: Job<Payload>) async throws
        -> Fate
    {
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
        let own = snapshots.all.filter { snapshot in
            snapshot.tags[EC2Client.operationTag] == job.id.description && snapshot.state == .completed
        }
        if let pending = snapshots.pending.first {
            let message =
                "snapshot \(pending.id) is not complete (\(pending.progress)), and there is no volume any more"
            return .snooze(Self.patience, Reason("snapshot-pending", message))
        }
        guard snapshots.newest != nil || (volumes.missing == nil && disk.lastSnapshot == nil) else {
            let message = "neither the volume nor a good snapshot of the disk can be found; it stays held"
            return .rejected(Reason("no-snapshot", message))
        }
        guard !job.isDryRun else { return .success(self.success(of: job, isReleased: true)) }
        let removal = VolumeRemoval(ec2: self.ec2, disk: disk, context: job.context)
        for broken in volumes.broken where broken.reservation == disk.holder {
            let step = try await removal.delete(
                broken.id,
                of: job.payload.reservation,
                because: "it never came to life"
            )
            if case .over(let fate) = step { return fate }
        }
        let (snapshot, volume) = (own.last?.id, own.last?.volumeID)
        return .success(self.success(of: job, disk, snapshots, snapshot: snapshot, volume: volume))
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
            data: Released(
                user_id: payload.user.description,
                disk_name: payload.disk.description,
                reservation_id: payload.reservation.description,
                snapshot_id: Nullable(snapshot?.rawValue),
                volume_id: Nullable(volume?.rawValue),
                released: isReleased,
                dry_run: job.isDryRun
            ),
            writes: writes
        )
    }
}
