import EventLoops
import Logging
import Postgres

/// Keeps the ledger short, and free of what dead workers hold.
///
/// Jobs that ended long ago are forgotten, a few thousand at a time. A message that came again after that would run
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
                while try await self.pruneBatch() == Self.batch {}
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
