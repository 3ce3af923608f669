import EventLoops
import Logging
import Postgres

/// Keeps the ledger short, and free of what dead workers hold.
///
/// Jobs that ended long ago are forgotten, the oldest first and a few thousand at a time. A message that came again after that would run
/// again, so the retention is far beyond any broker's memory. Dead jobs stay four times as long, since their messages
/// wait for a person.
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
                try await self.pruneWorkers()
                var start: String? = "-infinity"
                while let from = start { start = try await self.pruneBatch(from: from) }
            } catch is CancellationError {
                return
            } catch {
                self.logger.warning("the ledger could not be pruned", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Lets go, every few seconds until the task is cancelled, the keys that others wait for and dead workers hold.
    ///
    /// A job that ended several workers may itself come back much later.
    func freeKeys() async {
        while !Task.isCancelled {
            try? await self.loop.sleep(for: .seconds(5) * Double.random(in: 0.75...1.25))
            do {
                _ = try await self.pool.run(
                    """
                    UPDATE job_ledger SET state = 'waiting', holder = NULL, claimed_until = NULL
                    WHERE state = 'running' AND exclusive_key IN (SELECT waits_for FROM outbox WHERE waits_for IS NOT NULL)
                        AND (claimed_until < now() OR is_dead_worker(holder))
                    """
                )
            } catch {
                self.logger.debug("the keys of dead workers were not freed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Forgets workers that went without taking leave, when whoever looks for them has had a day for it.
    private func pruneWorkers() async throws(PostgresError) {
        _ = try await self.pool.run(
            "DELETE FROM workers WHERE seen_at < now() - interval '1 day' AND is_dead_worker(lock)"
        )
    }

    /// Forgets some jobs that were enqueued since `start`; the next batch begins where this one ended, so as not to walk
    /// again over what is gone.
    ///
    /// - Parameter start: A time as PostgreSQL writes it.
    /// - Returns: The start of the next batch; nil if nothing more is old enough.
    private func pruneBatch(from start: String) async throws(PostgresError) -> String? {
        let age = self.retention.milliseconds
        let row = try await self.pool.run(
            """
            WITH old AS (
                SELECT job_id, created_at FROM job_ledger
                WHERE created_at >= \(start)::timestamptz AND created_at < now() - \(age)::bigint * interval '1 ms'
                    AND (state IN ('succeeded', 'cancelled')
                            AND finished_at < now() - \(age)::bigint * interval '1 ms'
                        OR state = 'dead' AND finished_at < now() - 4 * \(age)::bigint * interval '1 ms')
                ORDER BY created_at LIMIT \(Self.batch) FOR UPDATE SKIP LOCKED),
            forgotten AS (DELETE FROM job_ledger WHERE job_id IN (SELECT job_id FROM old))
            SELECT count(*) AS count, max(created_at)::text AS last FROM old
            """
        ).rows.first
        guard let row, try row.read("count", as: Int.self) == Self.batch else { return nil }
        return try row.readOptional("last")
    }
}
