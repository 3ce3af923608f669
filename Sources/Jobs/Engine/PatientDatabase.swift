import EventLoops
import Logging
import Postgres

/// PostgreSQL for somebody who would rather wait than lose a job.
///
/// While the server is away nothing fails: the caller waits, with growing and random pauses, until it is back or the
/// worker ends, which is `Interrupted`. Collisions of transactions are repeated at once, a few times.
struct PatientDatabase: Sendable {
    let pool: PostgresPool
    let loop: EventLoop
    let logger: Logger

    /// How long giving back a claim may hold up the worker's end.
    private static let patienceAtEnd: Duration = .seconds(2)
    private static let mostCollisions = 20

    /// Does `operation` until PostgreSQL was there for it.
    func persist<Value>(_ operation: () async throws -> Value) async throws -> Value {
        var backoff = Backoff(base: .milliseconds(100), cap: .seconds(2))
        var collisions = 0
        while true {
            do {
                return try await operation()
            } catch let error as PostgresError where error.code == .cancelled || Task.isCancelled {
                throw Interrupted()
            } catch let error as PostgresError where error.isConnectionLost {
                if backoff.failures == 0 {
                    self.logger.warning("PostgreSQL is away; waiting", metadata: ["error": "\(error)"])
                }
                try await self.pause(for: backoff.next())
            } catch let error as PostgresError where error.isRetryable && collisions < Self.mostCollisions {
                collisions += 1
                try await self.pause(for: .milliseconds(Int.random(in: 50...400)))
            }
        }
    }

    /// Commits the statements in one round trip; results come in their order.
    @discardableResult
    func commit(_ statements: [SQL]) async throws -> [PostgresResult] {
        KillPoint.committing.reach()
        return try await self.persist { try await self.pool.pipeline(statements) }
    }

    /// Commits the statements, if those that say how many rows they need have found them; else `WriteConflict`.
    ///
    /// One round trip where none says so, else two.
    @discardableResult
    func commit(_ writes: [Write]) async throws -> [PostgresResult] {
        guard writes.contains(where: { $0.requiredRows != nil }) else {
            return try await self.commit(writes.map(\.sql))
        }
        KillPoint.committing.reach()
        return try await self.persist {
            try await self.pool.transaction { transaction in
                let results = try await transaction.pipeline(writes.map(\.sql))
                for (write, result) in zip(writes, results) {
                    if let rows = write.requiredRows, rows != result.affectedRows { throw WriteConflict() }
                }
                return results
            }
        }
    }

    /// Gives a claim back at the worker's end; if that cannot be done, it is free when the worker is gone.
    func release(_ claim: Claim, in ledger: Ledger) async {
        let loop = self.loop
        // The caller's task is cancelled by now; this short statement shall go out all the same.
        let release = Task(executorPreference: loop) {
            try await ledger.release(claim, within: Self.patienceAtEnd)
        }
        if case .failure(let error) = await release.result {
            self.logger.warning("a claim could not be given back", metadata: ["error": "\(error)"])
        }
    }

    private func pause(for duration: Duration) async throws {
        do {
            try await self.loop.sleep(for: duration)
        } catch {
            throw Interrupted()
        }
    }
}
