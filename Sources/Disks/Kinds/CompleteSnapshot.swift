import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.complete-snapshot`: waits until a snapshot is complete, or all of a disk, and has the row say so.
///
/// The row is brought up from one listing, so that it says the same however often this is done.
struct CompleteSnapshot: JobHandler {
    static let kind: JobKind = "disk.complete-snapshot"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let snapshot: SnapshotID?

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .optional("snapshot_id", "The snapshot to wait for.")
        )
    }

    struct Event: EventData {
        let user: String
        let disk: String
        let snapshot: SnapshotID?
        let snapshots: Int
        let pending: Int
        let lastSnapshot: Date?

        static let shape = EventShape<Event>(
            .owner { $0.user },
            .disk { $0.disk },
            .nullable(
                "snapshot_id",
                "The newest completed snapshot; null if there is none.",
                as: SnapshotID.schema
            ) { $0.snapshot?.rawValue },
            .field("snapshot_count", "Pending and completed snapshots of the disk.") { $0.snapshots },
            .field("pending_snapshot_count", "Pending ones among them.") { $0.pending },
            .nullable(
                "last_snapshot_at",
                "When the newest completed one was begun.",
                as: .time
            ) { $0.lastSnapshot?.rfc3339 }
        )
    }

    /// How soon to look again, and how long a snapshot just begun may take to show up.
    private static let pollInterval: Duration = .seconds(15)

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            throw Conclusion.rejected(.unknownDisk(payload.user, payload.disk))
        }
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: job.context.deadline)
        let wanted = snapshots.all.filter { payload.snapshot == nil || $0.id == payload.snapshot }
        if let id = payload.snapshot, wanted.isEmpty {
            throw try await self.missing(id, disk, job)
        }
        if let pending = wanted.first(where: {
            $0.state == .pending && ($0.isKept || payload.snapshot != nil)
        }) {
            try await snapshots.follow(disk, in: self.database)
            let message = "snapshot \(pending.id) is not complete (\(pending.progress))"
            throw Conclusion.snooze(Self.pollInterval, Reason("snapshot-pending", message))
        }
        let update = Write(snapshots.update(of: disk), affecting: 1)
        if payload.snapshot != nil, let failed = wanted.first(where: { $0.state == .error }) {
            let message = "snapshot \(failed.id) ended in error; take another one"
            throw Conclusion.rejected(Reason("snapshot-failed", message), writes: [update])
        }
        return self.success(disk, snapshots, [update])
    }
}

extension CompleteSnapshot {
    /// The disk has no such snapshot, or not yet.
    private func missing(_ id: SnapshotID, _ disk: Disk, _ job: Job<Payload>) async throws -> Conclusion {
        if try await self.ec2.snapshot(id, deadline: job.context.deadline) != nil {
            let message = "snapshot \(id) is none of the disk \(disk.name) of \(disk.user) by its tags"
            return .rejected(Reason("foreign-snapshot", message))
        }
        let absence = Reason("InvalidSnapshot.NotFound", "there is no snapshot \(id)")
        return job.context.waited < Self.pollInterval
            ? .snooze(Self.pollInterval, absence) : .rejected(absence)
    }

    private func success(_ disk: Disk, _ snapshots: DiskSnapshots, _ writes: [Write]) -> Success {
        let (summary, newest) = (snapshots.summary, snapshots.newest)
        return Success(
            subject: disk.subject,
            data: Event(
                user: disk.user,
                disk: disk.name,
                snapshot: newest?.id,
                snapshots: summary.count,
                pending: summary.pending,
                lastSnapshot: newest?.startTime
            ),
            writes: writes
        )
    }
}

extension CompleteSnapshot {
    static let documentation = KindDocumentation(
        "Record that a snapshot is complete",
        summary: "waits for a snapshot and brings its completion into the disk's row",
        """
        Waits until the snapshot is complete and brings the disk's row up to date. Without snapshot_id it \
        waits for all pending snapshots of the disk.
        """,
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home"],
            [
                "user_id": "alice@example.com",
                "disk_name": "home",
                "snapshot_id": "snap-0a1b2c3d4e5f60718",
            ],
        ],
        authority: .init(
            sentBy: "platform, clock",
            canHarm: "nothing: the row follows AWS",
            undoneBy: "ledger",
            provedBy: "tags of the snapshot are the disk's"
        ),
        event: .init(
            "A disk's snapshots are recorded",
            "The data of disk.complete-snapshot.completed.",
            examples: [
                [
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "snapshot_id": "snap-0a1b2c3d4e5f60718",
                    "snapshot_count": 3,
                    "pending_snapshot_count": 0,
                    "last_snapshot_at": "2026-05-01T12:00:00Z",
                ]
            ]
        )
    )
}
