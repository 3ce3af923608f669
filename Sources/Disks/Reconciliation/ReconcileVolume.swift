import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `disk.reconcile-volume`: brings a disk's row up to what AWS says of one volume.
///
/// AWS is right and PostgreSQL follows. Where two live volumes claim one disk nothing is changed: which of them holds
/// the newer data is for the reconciliation of all volumes, or a person, to decide.
struct ReconcileVolume: JobHandler {
    static let kind: JobKind = "disk.reconcile-volume"

    let database: PostgresPool
    let ec2: EC2Client

    typealias Event = Reconciliation

    struct Payload: JobPayload {
        let volume: VolumeID

        static let shape = PayloadShape(
            Self.init,
            .required("volume_id", "The EBS volume to look at; it need not exist any more.")
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        ExclusiveKey("volume", payload.volume.rawValue)
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let (id, deadline) = (job.payload.volume, job.context.deadline)
        let row = try await Disk.find(volume: id, in: self.database)
        guard let volume = try await self.ec2.volume(id, deadline: deadline) else {
            return self.orphaned(row, id)
        }
        guard volume.isSettled, !volume.isQuarantined else {
            return Reconciliation(.ignored, id, row).success
        }
        if let row { return try await self.followed(row, by: volume, deadline) }
        guard let disk = volume.taggedDisk else { return Reconciliation(.ignored, id).success }
        guard let row = try await Disk.find(disk.user, disk.name, in: self.database) else {
            return try await self.imported(volume, as: disk, deadline)
        }
        return try await self.linked(row, to: volume, deadline)
    }
}

extension ReconcileVolume {
    /// The volume is gone.
    ///
    /// A disk that a reservation holds is left to its release, which sees to it that no data is missed.
    private func orphaned(_ row: Disk?, _ id: VolumeID) -> Success {
        guard let row else { return Reconciliation(.ignored, id).success }
        guard row.isInUse, !row.isDeleted, row.isNobodys else {
            return Reconciliation(.orphaned, id, row).success
        }
        return Reconciliation(.orphaned, id, row).changing(row, [.isInUse(false)])
    }

    /// The row names this volume.
    private func followed(_ row: Disk, by volume: Volume, _ deadline: ContinuousClock.Instant) async throws
        -> Success
    {
        guard !row.isDeleted else { return Reconciliation(.ignored, volume.id, row).success }
        guard volume.tags[DiskTag.user].map({ $0 == row.user }) ?? true else {
            return Reconciliation(.conflict, volume.id, row).success
        }
        if let doubt = try await self.doubt(volume, of: row.key, deadline) {
            return self.unclear(doubt, volume, row)
        }
        if volume.tags[DiskTag.disk] != row.name {
            try await self.ec2.createTags([DiskTag.disk: row.name], on: [volume.id], deadline: deadline)
        }
        let changes = try await self.changes(of: row, to: volume, deadline)
        guard !changes.isEmpty else { return Reconciliation(.synced, volume.id, row).success }
        return Reconciliation(.updated, volume.id, row).changing(row, changes)
    }

    /// The volume's tags name a disk whose row names another volume, or none.
    private func linked(_ row: Disk, to volume: Volume, _ deadline: ContinuousClock.Instant) async throws
        -> Success
    {
        guard !row.isDeleted else { return Reconciliation(.ignored, volume.id, row).success }
        guard try await self.isOnlyVolume(volume, of: row, deadline) else {
            return Reconciliation(.conflict, volume.id, row).success
        }
        if let doubt = try await self.doubt(volume, of: row.key, deadline) {
            return self.unclear(doubt, volume, row)
        }
        let changes = try await self.changes(of: row, to: volume, deadline)
        return Reconciliation(.updated, volume.id, row).changing(row, changes)
    }

    /// Whether neither the row's own volume exists nor another live one carries the disk's tags.
    private func isOnlyVolume(_ volume: Volume, of row: Disk, _ deadline: ContinuousClock.Instant)
        async throws
        -> Bool
    {
        if let other = row.volume {
            // The volume of a holder is not replaced by another, though it is gone.
            guard try await self.ec2.volume(other, deadline: deadline) == nil, !row.isHeld else {
                return false
            }
        }
        let namesakes = try await self.ec2.describeVolumes(
            matching: [.tag(DiskTag.user, row.user)],
            deadline: deadline
        )
        return !namesakes.contains { other in
            other.id != volume.id && other.diskName == row.name && other.isSettled && !other.isQuarantined
        }
    }

    /// No row: the disk was made before there were rows, or its row was lost.
    private func imported(_ volume: Volume, as disk: DiskKey, _ deadline: ContinuousClock.Instant)
        async throws
        -> Success
    {
        let found = try await DiskSnapshots(of: disk, in: self.ec2, deadline: deadline)
        if let newer = NewestState.snapshot(newerThan: volume, among: found.all) {
            Doubt.staleVolume(volume, newer).count(in: Self.kind)
            return Reconciliation(.conflict, volume.id, user: disk.user, disk: disk.name).success
        }
        let snapshots = found.summary
        let reservation = volume.reservation
        let insertion: SQL = """
            INSERT INTO disks (user_id, disk_name, ebs_volume_id, size_gb, in_use, created_at, reservation_id,
                snapshot_count, pending_snapshot_count, is_backing_up, last_snapshot_at)
            VALUES (\(disk.user), \(disk.name), \(volume.id.rawValue), \(volume.size), \(volume.isAttached),
                \(volume.createTime),
                (SELECT reservation_id FROM reservations WHERE reservation_id = \(reservation)),
                \(snapshots.count), \(snapshots.pending), \(snapshots.pending > 0), \(snapshots.newest))
            """
        let columns = [
            "ebs_volume_id", "size_gb", "in_use", "snapshot_count", "is_backing_up", "last_snapshot_at",
        ]
        return Reconciliation(.created, volume.id, user: disk.user, disk: disk.name, changed: columns)
            .success(writes: [Write(insertion)])
    }

    /// Whether a newer snapshot is of another volume.
    private func doubt(_ volume: Volume, of disk: DiskKey, _ deadline: ContinuousClock.Instant) async throws
        -> Doubt?
    {
        let snapshots = try await DiskSnapshots(of: disk, in: self.ec2, deadline: deadline)
        return NewestState.snapshot(newerThan: volume, among: snapshots.all).map { .staleVolume(volume, $0) }
    }

    /// The row says why it is left alone; that the volume is in use it says in any case.
    private func unclear(_ doubt: Doubt, _ volume: Volume, _ row: Disk) -> Success {
        doubt.count(in: Self.kind)
        let note: SQL = """
            UPDATE disks SET in_use = in_use OR (ebs_volume_id = \(volume.id.rawValue) AND \(volume.isAttached)),
                operation_error = CASE WHEN operation_status = 'in_progress' THEN operation_error
                    ELSE \(doubt.reason.description) END
            WHERE disk_id = \(row.id) AND is_deleted IS NOT TRUE
            """
        return Reconciliation(.conflict, volume.id, row).success(writes: [Write(note)])
    }

    private func changes(of row: Disk, to volume: Volume, _ deadline: ContinuousClock.Instant) async throws
        -> [DiskChange]
    {
        let snapshots = try await DiskSnapshots(of: row.key, in: self.ec2, deadline: deadline)
        return row.changes(following: volume, snapshots.summary)
    }
}

extension ReconcileVolume {
    static let documentation = KindDocumentation(
        "Reconcile one volume",
        summary: "makes PostgreSQL agree with AWS about one volume",
        "Makes PostgreSQL agree with AWS about one EBS volume. It deletes nothing, in neither.",
        examples: [
            ["volume_id": "vol-0a1b2c3d4e5f60718"]
        ],
        authority: .init(
            sentBy: "platform, operator",
            canHarm: "nothing: the row follows AWS",
            undoneBy: "ledger",
            provedBy: "tags of the volume"
        ),
        event: .init(
            "A volume was reconciled",
            "The data of disk.reconcile-volume.completed.",
            examples: [
                [
                    "volume_id": "vol-0a1b2c3d4e5f60718",
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "outcome": "updated",
                    "changed": ["size_gb", "in_use"],
                ],
                [
                    "volume_id": "vol-0a1b2c3d4e5f60718",
                    "user_id": nil,
                    "disk_name": nil,
                    "outcome": "ignored",
                    "changed": [],
                ],
            ]
        )
    )
}
