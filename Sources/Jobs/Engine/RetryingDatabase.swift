import Calls
import EventLoops
import Logging
import Postgres

/// PostgreSQL for somebody who would rather wait than lose a job.
///
/// What the worker does for itself (claims, endings, messages) is repeated until it is done: with growing and random
/// pauses while the server is away or a lock is in the way, and when the gate lets it through while the server refuses
/// it. It ends early only with the worker, which is `Interrupted`. What a kind asks for is another matter: a statement
/// that takes too long on a server that answers others, that is refused, or that collides again and again, is thrown,
/// for `AttemptPolicy`.
struct RetryingDatabase: Sendable {
    let pool: PostgresPool
    let gate: RefusalGate
    let loop: EventLoop
    let logger: Logger

    /// How long giving back a claim may hold up the worker's end.
    private static let releaseTimeout: Duration = .seconds(2)

    /// How often, and for how long, a kind's collision is repeated at once; each may have waited for a lock.
    private static let collisions = (most: 20, time: Duration.seconds(30))

    /// How often, and for how long, a handler is run again in place because PostgreSQL went away.
    ///
    /// The broker closes the channel of whoever keeps a message for half an hour.
    private static let repeats = (most: 6, time: Duration.seconds(300))

    /// How long a server may take to show that it is there.
    private static let probeTimeout: Duration = .seconds(5)

    /// Does what the worker needs for itself until PostgreSQL has done it.
    func persist<Value>(_ operation: () async throws -> Value) async throws -> Value {
        try await self.persist(whereOwn: { _ in true }, operation)
    }

    /// Runs a handler, again where PostgreSQL went away meanwhile and is back.
    ///
    /// Throws `DatabaseAway` if that has happened too often, and what the handler throws.
    func attempt<Value>(_ operation: () async throws -> Value) async throws -> Value {
        let start = ContinuousClock.now
        var backoff = BackoffState(Backoff(base: .milliseconds(100), cap: .seconds(10), jitter: 0.5...1))
        var collisions = Collisions()
        var repeats = 0
        while true {
            do {
                return try await operation()
            } catch let error as PostgresError {
                try self.checkCancellation(error)
                if error.isConnectionLost {
                    if error.code == .deadlineExceeded, await self.isThere() { throw error }
                    repeats += 1
                    guard repeats <= Self.repeats.most, start.duration(to: .now) < Self.repeats.time else {
                        throw DatabaseAway(underlying: error)
                    }
                    self.tellAbsence(error)
                    repeat {
                        try await self.pause(for: backoff.next())
                    } while await !self.answers()
                } else if error.isRetryable, collisions.allowsAnother {
                    try await self.pause(for: collisions.next())
                } else {
                    throw error
                }
            }
        }
    }

    /// Commits the statements of the worker's own in one round trip; results come in their order.
    @discardableResult
    func commit(_ statements: [SQL]) async throws -> [PostgresResult] {
        try await self.commit(statements.map { Write(own: $0) })
    }

    /// Commits the statements, if those that say how many rows they need have found them; else `WriteConflict`.
    ///
    /// One round trip where none says so, else two. Throws what PostgreSQL says of a kind's statements only.
    @discardableResult
    func commit(_ writes: [Write]) async throws -> [PostgresResult] {
        KillPoint.committing.reach()
        let isAllOwn = writes.allSatisfy(\.isOwn)
        return try await self.persist(
            whereOwn: { error in error.statement.map { writes[$0].isOwn } ?? isAllOwn },
            { try await self.commitOnce(writes) }
        )
    }

    /// Gives a claim back at the worker's end; if that cannot be done, it is free when the worker is gone.
    func release(_ claim: Claim, in ledger: Ledger) async {
        let loop = self.loop
        // The caller's task is cancelled by now; this short statement shall go out all the same.
        let release = Task(executorPreference: loop) {
            try await ledger.release(claim, within: Self.releaseTimeout)
        }
        if case .failure(let error) = await release.result {
            self.logger.warning("a claim could not be given back", metadata: ["error": "\(error)"])
        }
    }
}

extension RetryingDatabase {
    private func commitOnce(_ writes: [Write]) async throws -> [PostgresResult] {
        guard writes.contains(where: { $0.requiredRows != nil }) else {
            return try await self.pool.pipeline(writes.map(\.sql))
        }
        return try await self.pool.transaction { transaction in
            let results = try await transaction.pipeline(writes.map(\.sql))
            for (write, result) in zip(writes, results) {
                if let rows = write.requiredRows, rows != result.affectedRows { throw WriteConflict() }
            }
            return results
        }
    }

    /// Repeats `operation` until nothing of the worker's own stands in its way.
    private func persist<Value>(
        whereOwn isOwn: (PostgresError) -> Bool,
        _ operation: () async throws -> Value
    ) async throws -> Value {
        var role = try await self.gate.pass()
        while true {
            do {
                let value = try await self.persistUnlessRefused(whereOwn: isOwn, operation)
                if role == .prober { await self.gate.open() }
                return value
            } catch let refusal as Refusal {
                role = try await self.gate.refused(role, because: refusal.error)
            } catch {
                if role == .prober { await self.gate.handOver() }
                throw error
            }
        }
    }

    /// Throws `Refusal` where it is the worker's own statement that PostgreSQL does not do.
    private func persistUnlessRefused<Value>(
        whereOwn isOwn: (PostgresError) -> Bool,
        _ operation: () async throws -> Value
    ) async throws -> Value {
        var backoff = BackoffState(Backoff(base: .milliseconds(100), cap: .seconds(2), jitter: 0.5...1))
        var collisions = Collisions()
        while true {
            do {
                return try await operation()
            } catch let error as PostgresError {
                try self.checkCancellation(error)
                let isOwn = isOwn(error)
                if error.isConnectionLost {
                    if !isOwn, error.code == .deadlineExceeded, await self.isThere() { throw error }
                    if backoff.failures == 0 { self.tellAbsence(error) }
                    try await self.pause(for: backoff.next())
                } else if error.isRetryable, isOwn || collisions.allowsAnother {
                    try await self.pause(for: collisions.next())
                } else {
                    throw isOwn && error.isAboutSchema ? Refusal(error: error) : error
                }
            }
        }
    }

    private func checkCancellation(_ error: PostgresError) throws(Interrupted) {
        if error.code == .cancelled || Task.isCancelled { throw Interrupted() }
    }

    /// Whether it was the statement, and not the server, that took too long.
    private func isThere() async -> Bool {
        await self.pool.serverTakesWrites(within: Self.probeTimeout)
    }

    /// Whether the pool has a connection that works; many may ask at once, and share what it has.
    private func answers() async -> Bool {
        do {
            _ = try await self.pool.run("SELECT 1", within: Self.probeTimeout)
            return true
        } catch {
            return !error.isConnectionLost
        }
    }

    private func tellAbsence(_ error: PostgresError) {
        self.logger.warning("PostgreSQL is unreachable; waiting", metadata: ["error": "\(error)"])
    }

    private func pause(for duration: Duration) async throws(Interrupted) {
        do {
            try await self.loop.sleep(for: duration)
        } catch {
            throw Interrupted()
        }
    }

    /// The collisions of one operation, and how long to wait after each.
    private struct Collisions {
        private var count = 0
        private var start: ContinuousClock.Instant?

        /// These do not grow: a lock is let go when its holder is done, however often others asked.
        private static let pauses = Backoff(constant: .milliseconds(400), jitter: 0.125...1)
        private static let longPauses = Backoff(constant: .seconds(2), jitter: 0.125...1)

        var allowsAnother: Bool {
            self.count < RetryingDatabase.collisions.most
                && (self.start.map { $0.duration(to: .now) } ?? .zero) < RetryingDatabase.collisions.time
        }

        mutating func next() -> Duration {
            self.count += 1
            self.start = self.start ?? .now
            let isFrequent = self.count > RetryingDatabase.collisions.most
            return (isFrequent ? Self.longPauses : Self.pauses).pause(afterFailure: self.count)
        }
    }

    /// A statement of the worker's own that PostgreSQL will not do before somebody has changed something.
    private struct Refusal: Error {
        let error: PostgresError
    }
}

/// PostgreSQL went away again and again under a handler.
struct DatabaseAway: Error {
    let underlying: PostgresError
}

/// The job was stopped through no fault of its own: the worker ends, or PostgreSQL stayed away until it did.
struct Interrupted: Error {}

/// A statement of a job's transaction did not find what it needed: the row has changed since the job looked.
struct WriteConflict: Error {}
