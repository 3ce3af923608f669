import Calls
package import EventLoops
package import Logging

/// Connections on one event loop that many callers share, one at a time each.
///
/// Nothing is sent to check a connection: the loop watches idle ones and drops a dead one at once. A connection
/// that comes back broken, or with a transaction open, is closed and never handed out again.
package actor PostgresPool {
    typealias Instant = ContinuousClock.Instant

    /// The loop that serves the connections.
    package nonisolated let loop: EventLoop
    nonisolated let configuration: PostgresConfiguration
    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }

    /// Between attempts to connect.
    private static let backoff = Backoff(base: .milliseconds(100), cap: .seconds(5), jitter: 0.25...1)

    private let logger: Logger
    private let metrics: PoolMetrics
    private let deadlines: DeadlineTimer
    private var state: PoolState<PostgresConnection>
    private var members: Set<ObjectIdentifier> = []
    private var waiters: [Int: PoolWaiter] = [:]
    private var lastWaiter = 0
    private var lastFailure: PostgresError?
    private var counts = PoolStatistics()
    private var trimTimer: LoopTimer?
    private var onDrained: [CheckedContinuation<Void, Never>] = []

    /// Connects when the first caller needs a connection; metrics call the pool by `name`.
    package init(
        _ configuration: PostgresConfiguration,
        named name: String = "jobs",
        on loop: EventLoop,
        logger: Logger
    ) {
        self.loop = loop
        self.configuration = configuration
        self.logger = logger
        self.metrics = PoolMetrics(name, most: configuration.connections.upperBound)
        self.deadlines = DeadlineTimer(loop: loop)
        self.state = PoolState(limits: configuration.connections)
    }

    /// Runs one statement on any connection.
    ///
    /// The limit, or else the configuration's deadline, holds for the wait for a connection too.
    package func run(_ statement: SQL, within limit: Duration? = nil) async throws(PostgresError)
        -> PostgresResult
    {
        try await self.execute([statement], operation: "run", within: limit).only(operation: "run")
    }

    /// Runs statements in one round trip and one implicit transaction: all of them happen, or none.
    ///
    /// Results come in the order of the statements; the first failure is thrown.
    @discardableResult
    package func pipeline(
        _ statements: [SQL],
        within limit: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await self.execute(statements, operation: "pipeline", within: limit)
    }

    /// Runs `body` in a transaction, which ends with it.
    ///
    /// Commits when `body` returns, unless it has committed already, and rolls back when it throws. Inside, this pool
    /// refuses to be used: all goes through the transaction.
    ///
    /// - Parameters:
    ///   - options: The isolation, and whether writing is refused.
    ///   - limit: How long the whole may take, waiting for a connection included; the configuration's deadline if not
    ///     given.
    ///   - body: What to do; it runs where the caller runs.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or a `PostgresError` about the connection or the commit.
    package nonisolated func transaction<R>(
        _ options: TransactionOptions = TransactionOptions(),
        within limit: Duration? = nil,
        _ body: (Transaction) async throws -> R
    ) async throws -> R {
        let deadline = self.deadline(within: limit)
        let connection = try await self.lease(until: deadline, operation: "transaction")
        do {
            let result = try await connection.transaction(options, until: deadline, body)
            await self.giveBack(connection)
            return result
        } catch {
            await self.giveBack(connection)
            throw error
        }
    }

    /// Lends a connection to `body`; what it leaves in the session, others will find there.
    ///
    /// - Parameters:
    ///   - limit: How long to wait for a connection; the configuration's deadline if not given.
    ///   - body: What to do; it runs where the caller runs.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or a `PostgresError` if no connection was to be had.
    package nonisolated func withConnection<R>(
        within limit: Duration? = nil,
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        let connection = try await self.lease(until: self.deadline(within: limit), operation: "checkout")
        do {
            let result = try await body(connection)
            await self.giveBack(connection)
            return result
        } catch {
            await self.giveBack(connection)
            throw error
        }
    }

    /// Whether the server answers over a new connection, whatever those of the pool are at, and takes writes.
    ///
    /// - Parameter limit: How long connecting and asking may take, each.
    package nonisolated func serverTakesWrites(within limit: Duration) async -> Bool {
        let hasty = self.configuration.with { $0.connectDeadline = limit }
        do {
            let connection = try await PostgresConnection.connect(hasty, on: self.loop, logger: self.logger)
            let isReadOnly = try? await connection.isReadOnly(within: limit)
            await connection.close()
            return isReadOnly == false
        } catch {
            return false
        }
    }

    /// What the pool has and what it went through.
    package func statistics() -> PoolStatistics {
        var statistics = self.counts
        statistics.open = self.members.count
        statistics.idle = self.state.idle.count
        statistics.opening = self.state.opening
        statistics.waiting = self.state.waiters.count
        return statistics
    }

    /// Refuses new callers and those that wait, closes what is idle, and returns when the last connection is back.
    package func close() async {
        let (idle, waiters) = self.state.close()
        self.trimTimer?.cancel()
        for connection in idle { await connection.close() }
        for waiter in waiters { self.refuse(waiter, .closed, "the pool was closed") }
        guard self.state.leased > 0 else { return }
        await withCheckedContinuation { self.onDrained.append($0) }
    }
}

extension PostgresPool {
    private nonisolated func deadline(within limit: Duration?) -> Instant {
        ContinuousClock.now + (limit ?? self.configuration.callDeadline)
    }

    private func execute(
        _ statements: [SQL],
        operation: String,
        within limit: Duration?
    ) async throws(PostgresError) -> [PostgresResult] {
        let deadline = self.deadline(within: limit)
        let connection = try await self.lease(until: deadline, operation: operation)
        defer { self.giveBack(connection) }
        return try await connection.execute(statements, operation: operation, deadline: deadline)
    }

    private func lease(until deadline: Instant, operation: String) async throws(PostgresError)
        -> PostgresConnection
    {
        try self.checkUse(operation)
        self.lastWaiter += 1
        defer { self.tellCounts() }
        switch self.state.admit(self.lastWaiter) {
        case .lease(let connection): return connection
        case .wait: return try await self.wait(self.lastWaiter, until: deadline)
        case .refuse:
            throw PostgresError(.closed, operation: operation, message: "the pool was closed")
        }
    }

    private func checkUse(_ operation: String) throws(PostgresError) {
        guard !Task.isCancelled else {
            throw PostgresError(
                .cancelled,
                operation: operation,
                message: "the task was cancelled before the call"
            )
        }
        guard let transaction = Transaction.current,
            self.members.contains(ObjectIdentifier(transaction.connection)),
            transaction.connection.assumeIsolated({ $0.transactionState.isOpen(transaction.token) })
        else { return }
        throw TransactionState.misuse("a transaction of this pool is open in this task; pass it along")
    }

    private func wait(_ id: Int, until deadline: Instant) async throws(PostgresError) -> PostgresConnection {
        self.counts.waits += 1
        let waiter = PoolWaiter(since: .now, deadline: deadline)
        self.waiters[id] = waiter
        self.openWhatIsWanted()
        self.deadlines.cover(deadline) { [weak self] in self?.assumeIsolated { $0.checkDeadlines() } ?? nil }
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { self.attach($0, to: waiter) }
        } onCancel: {
            self.loop.execute {
                self.assumeIsolated { $0.refuse(id, .cancelled, "the task was cancelled while it waited") }
            }
        }.get()
    }

    /// Naming `self` keeps the closures around it on the loop (SE-0313).
    private func attach(_ continuation: CheckedContinuation<PoolWaiter.Outcome, Never>, to waiter: PoolWaiter)
    {
        waiter.wait(continuation)
    }

    private func giveBack(_ connection: PostgresConnection) {
        let isUsable = connection.assumeIsolated { $0.isReusable }
        self.carryOut(self.state.giveBack(connection, isUsable: isUsable))
        self.openWhatIsWanted()
        self.tellCounts()
        if self.state.isClosed, self.state.leased == 0 {
            for continuation in self.onDrained { continuation.resume() }
            self.onDrained = []
        }
    }

    private func carryOut(_ placement: PoolState<PostgresConnection>.Placement) {
        switch placement {
        case .keep: self.trimLater()
        case .close(let connection): connection.assumeIsolated { $0.close() }
        case .lease(let connection, let id):
            guard let waiter = self.waiters.removeValue(forKey: id) else { return }
            let wait = waiter.since.duration(to: .now)
            self.counts.longestWait = max(self.counts.longestWait, wait)
            self.metrics.waited(wait)
            waiter.end(with: .success(connection))
        }
    }

    private func refuse(
        _ id: Int,
        _ code: PostgresError.Code,
        _ message: String,
        underlying: PostgresError? = nil
    ) {
        guard let waiter = self.waiters.removeValue(forKey: id) else { return }
        self.state.remove(id)
        self.tellCounts()
        let error = PostgresError(code, operation: "checkout", message: message, underlying: underlying)
        waiter.end(with: .failure(error))
    }

    /// Sends away who has waited too long, and returns the next deadline.
    private func checkDeadlines() -> Instant? {
        let now = ContinuousClock.now
        for (id, waiter) in self.waiters where waiter.deadline <= now {
            self.counts.timeouts += 1
            self.metrics.timedOut()
            if let failure = self.lastFailure {
                self.refuse(id, failure.code, "no connection could be made in time", underlying: failure)
            } else {
                self.refuse(id, .poolExhausted, "no connection became free in time")
            }
        }
        return self.waiters.values.lazy.map(\.deadline).min()
    }
}

extension PostgresPool {
    private func openWhatIsWanted() {
        while self.state.wantsOpening {
            self.state.startOpening()
            PostgresConnection.open(self.configuration, on: self.loop, logger: self.logger) { outcome in
                self.assumeIsolated { $0.opened(outcome) }
            }
        }
    }

    private func opened(_ outcome: Result<PostgresConnection, PostgresError>) {
        switch outcome {
        case .success(let connection):
            self.lastFailure = nil
            self.counts.opened += 1
            self.members.insert(ObjectIdentifier(connection))
            connection.assumeIsolated { connection in
                connection.start()
                connection.whenClosed { [weak self, unowned connection] in
                    self?.assumeIsolated { $0.lost(connection) }
                }
            }
            self.carryOut(self.state.opened(connection))
            self.tellCounts()
        case .failure(let error):
            self.lastFailure = error
            self.counts.failedOpenings += 1
            self.state.failedToOpen()
            self.backOff(after: error)
        }
        self.openWhatIsWanted()
    }

    private func backOff(after error: PostgresError) {
        self.logger.warning(
            "no connection to PostgreSQL",
            metadata: ["error.code": .string(error.code.rawValue), "error": .string(error.message)]
        )
        self.loop.after(Self.backoff.pause(afterFailure: self.state.failures)) { [weak self] in
            self?.assumeIsolated { pool in
                pool.state.endBackoff()
                pool.openWhatIsWanted()
            }
        }
    }

    private func lost(_ connection: PostgresConnection) {
        self.state.lost(connection)
        self.members.remove(ObjectIdentifier(connection))
        self.counts.closed += 1
        self.tellCounts()
    }

    private func tellCounts() {
        self.metrics.report(
            idle: self.state.idle.count,
            used: self.state.leased,
            pending: self.state.waiters.count
        )
    }

    /// Closes what nobody has needed for a while, half of it at a time.
    private func trimLater() {
        guard self.trimTimer == nil, self.state.surplus > 0 else { return }
        self.trimTimer = self.loop.after(self.configuration.idleLimit) { [weak self] in
            self?.assumeIsolated { $0.trim() }
        }
    }

    private func trim() {
        self.trimTimer = nil
        let unneeded = self.state.trim((self.state.surplus + 1) / 2)
        for connection in unneeded { connection.assumeIsolated { $0.close() } }
        self.tellCounts()
        self.trimLater()
    }
}
