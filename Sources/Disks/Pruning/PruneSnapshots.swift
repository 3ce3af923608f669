import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.prune-snapshots`: deletes snapshots that newer ones make superfluous, and purges what was deleted.
///
/// One listing shows what there is to do. Before anything of a disk is deleted its row and its snapshots are read again.
struct PruneSnapshots: JobHandler {
    static let kind: JobKind = "disk.prune-snapshots"

    let database: PostgresPool
    let ec2: EC2Client
    let retention: DiskRetention

    typealias Event = PruningTally

    struct Payload: DryRunPayload {
        let disk: DiskKey?
        let isDryRun: Bool

        static let shape = PayloadShape(
            Self.init,
            .optional("user_id", "Whose disk it is; goes with disk_name."),
            .optional("disk_name", "The disk's name, unique for its user; the tag disk_name."),
            .dryRun
        )
        .withBoth("user_id", "disk_name")

        private init(_ user: UserID?, _ disk: DiskName?, _ isDryRun: Bool) {
            self.disk = user.flatMap { user in disk.map { DiskKey(user, $0) } }
            self.isDryRun = isDryRun
        }
    }

    /// There may be hundreds to delete, and AWS takes a few a second.
    var deadline: Duration? { .seconds(300) }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        payload.disk?.exclusiveKey ?? ExclusiveKey("disk.prune-snapshots")
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let (payload, context) = (job.payload, job.context)
        let now = try await self.database.now()
        let rows = try await self.rows(payload.disk)
        let listing = try await self.ec2.describeSnapshots(
            matching: payload.disk.map { [.tag(DiskTag.user, $0.user)] } ?? [.hasTag(DiskTag.user)],
            deadline: context.deadline
        )
        let inventory = SnapshotInventory(
            listing,
            of: rows,
            only: payload.disk,
            at: now,
            self.retention
        )
        var tally = PruningTally(inventory, isOfAll: payload.disk == nil, isDryRun: job.isDryRun)
        guard !tally.dry_run else {
            return self.success(tally.supposing(inventory), payload)
        }
        let run = PruningRun(
            database: self.database,
            ec2: self.ec2,
            retention: self.retention,
            job: job.id,
            isOfAll: payload.disk == nil,
            context: context,
            now: now
        )
        try await run.note(inventory, rows)
        try await run.mark(inventory, &tally)
        var writes = try await run.delete(inventory, &tally)
        if payload.disk == nil { writes.append(Write(SnapshotDeletion.cleanUp)) }
        tally.report()
        return self.success(tally, payload, writes)
    }

    private func rows(_ only: DiskKey?) async throws -> [Disk] {
        guard let only else { return try await self.database.withConnection { try await Disk.all(in: $0) } }
        return try await Disk.find(only.user, only.name, in: self.database).map { [$0] } ?? []
    }

    private func success(_ tally: PruningTally, _ payload: Payload, _ writes: [Write] = []) -> Success {
        let subject = payload.disk.map { EventSubject("disk", $0.user, $0.name) } ?? EventSubject("disks")
        return Success(subject: subject, data: tally, writes: writes)
    }
}

extension PruneSnapshots {
    static let documentation = KindDocumentation(
        "Delete snapshots that nobody needs",
        summary: "applies retention to the snapshots of each disk, and purges deleted disks",
        """
        Keeps what retention asks for and deletes older snapshots, marks those of deleted disks, and \
        purges what has passed its day. Of one disk, or of all when none is named.
        """,
        examples: [
            [:],
            ["user_id": "alice@example.com", "disk_name": "home", "dry_run": true],
        ],
        authority: .init(
            sentBy: "clock, operator",
            canHarm: "deletes superfluous snapshots, and deleted disks that are due",
            undoneBy: "recycle bin",
            provedBy: "tags and rows together; the limits of mass destruction"
        ),
        event: .init(
            "Snapshots were pruned",
            """
            The data of disk.prune-snapshots.completed. Deletions are counted when AWS has confirmed \
            them.
            """,
            examples: [
                [
                    "disks": 120,
                    "snapshots": 410,
                    "tagged_snapshots": 0,
                    "retention_deleted": 12,
                    "purged": 3,
                    "safety_purged": 0,
                    "kept_in_use": 0,
                    "deferred": 0,
                    "held": 0,
                    "unclear": 0,
                    "errors": 0,
                    "dry_run": false,
                ]
            ]
        )
    )
}
