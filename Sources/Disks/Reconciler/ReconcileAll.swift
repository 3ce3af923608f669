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
    let deadline: Duration?

    struct Payload: Decodable, DryRunPayload {
        let scope: SnapshotCensus.Scope
        let isDryRun: Bool

        init(from decoder: any Decoder) throws {
            let (scope, isDryRun) = try PayloadFields(decoder).read(
                PayloadField<SnapshotCensus.Scope?>.optional("snapshot_count"),
                PayloadField<Switch?>.optional("dry_run")
            )
            self.scope = scope ?? .disk
            self.isDryRun = isDryRun?.isOn ?? false
        }
    }

    func exclusiveKey(for payload: Payload) -> String? { Self.kind.name }

    func act(on job: Job<Payload>) async throws -> Fate {
        let session = try await PostgresConnection.connect(
            self.direct,
            on: self.database.loop,
            logger: job.context.logger
        )
        do {
            let statistics = try await self.reconcile(job, in: session)
            await session.close()
            return .success(try self.success(statistics, job))
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
        let inventory = try await reader.read(in: session)
        // Ten thousand volumes take a while to think over, and the loop has other jobs.
        let plan = await withTaskExecutorPreference(globalConcurrentExecutor) {
            ReconciliationPlan(inventory)
        }
        var run = ReconcileRun(plan, of: job, isDryRun: isDryRun, ec2: self.ec2, lock: lock)
        try await run.carryOut()
        try await lock.release(job.context.logger)
        return run.statistics
    }

    private func success(_ statistics: ReconcileStatistics, _ job: Job<Payload>) throws -> Success {
        let level: Logger.Level = statistics.errors > 0 || statistics.is_partial ? .warning : .info
        let text = String(decoding: try JSONEncoder().encode(statistics), as: UTF8.self)
        statistics.tell()
        job.context.logger.log(level: level, "disks were reconciled", metadata: ["statistics": "\(text)"])
        return Success(subject: EventSubject("disks"), data: statistics)
    }
}
