import AWS
import FoundationEssentials
import Jobs
import Logging
import Postgres

/// `disk.reconcile-all`: brings the rows of all disks up to what AWS says of all volumes.
///
/// One listing of volumes and one of snapshots, whatever their number, and one statement for all rows. Volumes that
/// are there twice go into quarantine; those that were there long enough are copied, and then deleted. What goes wrong
/// with one disk is counted and does not stop the others; the next run tries again.
struct ReconcileAll: JobHandler {
    static let kind: JobKind = "disk.reconcile-all"

    let database: PostgresPool
    /// Where a session of the run's own leads, past any pooler.
    let direct: PostgresConfiguration
    let ec2: EC2Client
    let retention: DiskRetention
    let deadline: Duration?

    init(_ services: DiskServices) {
        self.database = services.database
        self.direct = services.direct
        self.ec2 = services.ec2
        self.retention = services.retention
        self.deadline = services.reconcileDeadline
    }

    typealias Event = ReconcileStatistics

    struct Payload: DryRunPayload {
        let scope: SnapshotCensus.Scope
        let isDryRun: Bool

        static let shape = PayloadShape(
            Self.init,
            .optional(
                "snapshot_count",
                """
                What snapshot_count counts: the snapshots of the disk, or as in older versions only those \
                of the current volume.
                """,
                default: "disk"
            ),
            .dryRun
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { ExclusiveKey("disk.reconcile-all") }

    func act(on job: Job<Payload>) async throws -> Success {
        let session = try await PostgresConnection.connect(
            self.direct,
            on: self.database.loop,
            logger: job.context.logger
        )
        do {
            let statistics = try await self.reconcile(job, in: session)
            await session.close()
            return self.success(statistics, job)
        } catch {
            await session.close()
            throw error
        }
    }

    private func reconcile(_ job: Job<Payload>, in session: PostgresConnection) async throws
        -> ReconcileStatistics
    {
        let isDryRun = job.isDryRun
        guard let lock = try await ReconcilerLock(in: session) else {
            var statistics = ReconcileStatistics()
            statistics.skipped_concurrent_run = true
            statistics.dry_run = isDryRun
            return statistics
        }
        let reader = InventoryReader(ec2: self.ec2, scope: job.payload.scope, job: job.context)
        let inventory = try await reader.read(in: session, at: try await self.database.now())
        // Ten thousand volumes take a while to think over, and the loop has other jobs.
        let plan = await withTaskExecutorPreference(globalConcurrentExecutor) {
            ReconciliationPlan(inventory)
        }
        var run = ReconcileRun(plan, of: job, isDryRun: isDryRun, ec2: self.ec2, self.retention, lock: lock)
        try await run.carryOut()
        try await lock.release(job.context.logger)
        return run.statistics
    }

    private func success(_ statistics: ReconcileStatistics, _ job: Job<Payload>) -> Success {
        let level: Logger.Level = statistics.errors > 0 || statistics.is_partial ? .warning : .info
        statistics.report()
        job.context.logger.log(
            level: level,
            "disks were reconciled",
            metadata: ["statistics": "\(statistics.json)"]
        )
        return Success(subject: EventSubject("disks"), data: statistics)
    }
}

extension ReconcileAll {
    static let documentation = KindDocumentation(
        "Make PostgreSQL follow AWS for all volumes",
        summary: "makes PostgreSQL agree with AWS about all volumes",
        """
        Compares every volume and snapshot with every disk, and mends the rows; volumes that are there \
        twice are put into quarantine, and those long in quarantine deleted once their safety copy is \
        complete.
        """,
        examples: [
            [:]
        ],
        authority: .init(
            sentBy: "clock, operator",
            canHarm: "deletes quarantined volumes after a safety copy",
            undoneBy: "restore from the copy",
            provedBy: "tags and rows together; the limits of mass destruction"
        ),
        event: .init(
            "PostgreSQL follows AWS",
            "The data of disk.reconcile-all.completed.",
            examples: [
                [
                    "aws_volumes": 250,
                    "db_records": 250,
                    "synced": 250,
                    "updated": 0,
                    "created": 0,
                    "errors": 0,
                    "volume_id_conflicts": 0,
                    "aws_duplicates": 0,
                    "quarantined_volumes": 0,
                    "skipped_duplicates": 0,
                    "unresolved_duplicates": 0,
                    "orphaned_db_active": 0,
                    "orphaned_db_deleted": 0,
                    "deleted_disk_volumes": 0,
                    "ignored_volumes": 0,
                    "transient_skipped": 0,
                    "cleanup_quarantined_found": 0,
                    "cleanup_deleted": 0,
                    "cleanup_skipped_too_recent": 0,
                    "cleanup_waiting_snapshot": 0,
                    "cleanup_snapshots_deleted": 0,
                    "unclear_disks": 0,
                    "unmarked_snapshots": 0,
                    "deferred": 0,
                    "skipped_concurrent_run": false,
                    "is_partial": false,
                    "dry_run": false,
                ]
            ]
        )
    )
}
