import EventLoops
import Logging
import Postgres

/// Keeps the ledger short: jobs that ended long ago are forgotten, a few thousand at a time.
///
/// A message that came again after that would run again, so the retention is far beyond any broker's memory. Dead
/// jobs stay four times as long, since their letters wait for a person.
struct Housekeeping: Sendable {
    let pool: PostgresPool
    let retention: Duration
    let loop: EventLoop
    let logger: Logger

    private static let batch = 5000

    /// Prunes soon after the start, since some replicas never live for an hour, and then about once an hour until the
    /// task is cancelled.
    func run() async {
        var pause: Duration = .seconds(10)
        while !Task.isCancelled {
            do {
                try await self.loop.sleep(for: pause * Double.random(in: 0.5...1.5))
                pause = .seconds(3600)
                while try await self.pruneBatch() == Self.batch {}
            } catch is CancellationError {
                return
            } catch {
                self.logger.warning("the ledger could not be pruned", metadata: ["error": "\(error)"])
            }
        }
    }

    /// How many jobs were forgotten.
    func pruneBatch() async throws(PostgresError) -> Int {
        let age = self.retention.milliseconds
        return try await self.pool.run(
            """
            DELETE FROM job_ledger WHERE job_id IN (
                SELECT job_id FROM job_ledger
                WHERE created_at < now() - \(age)::bigint * interval '1 ms'
                    AND (state IN ('succeeded', 'cancelled')
                        OR state = 'dead' AND finished_at < now() - 4 * \(age)::bigint * interval '1 ms')
                LIMIT \(Self.batch) FOR UPDATE SKIP LOCKED)
            """
        ).affectedRows
    }
}
