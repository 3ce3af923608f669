package import EventLoops

/// Connections to one database for callers on one loop.
///
/// Callers wait in the order in which they came. A connection that is closed, or that came back in the middle of
/// something, is never handed out. None is checked on the way out: the loop notices a dead one as soon as its
/// socket says so.
package actor PostgresPool {
    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }

    private let configuration: PostgresConfiguration
    private var idle: [PostgresConnection] = []
    private var waiters: [Waiter] = []
    private var counts = PoolStatistics()
    private var lastWaiterNumber = 0
    private var isClosed = false

    package init(_ configuration: PostgresConfiguration, on loop: EventLoop) {
        precondition(configuration.maximumConnections > 0, "a pool needs room for a connection")
        self.configuration = configuration
        self.loop = loop
    }

    package var statistics: PoolStatistics {
        var counts = self.counts
        counts.idle = self.idle.count
        counts.waiting = self.waiters.count
        return counts
    }

    /// Runs one statement in a transaction of its own.
    package func run(_ statement: SQL, within limit: Duration = .seconds(30)) async throws -> PostgresResult {
        try await self.withConnection(within: limit) { try await $0.run(statement, within: limit) }
    }

    /// Runs all statements in one round trip and one transaction.
    package func pipeline(_ statements: [SQL], within limit: Duration = .seconds(30)) async throws
        -> [PostgresResult]
    {
        try await self.withConnection(within: limit) { try await $0.pipeline(statements, within: limit) }
    }

    /// Commits what `body` did if it returns, and undoes it if it throws.
    package func transaction<Value: Sendable>(
        readOnly: Bool = false,
        within limit: Duration = .seconds(30),
        _ body: @Sendable (Transaction) async throws -> Value,
    ) async throws -> Value {
        try await self.withConnection(within: limit) { connection in
            let transaction = Transaction(on: connection, isReadOnly: readOnly)
            do {
                let value = try await body(transaction)
                try await transaction.finish()
                return value
            } catch {
                await transaction.rollBack()
                throw error
            }
        }
    }

    /// Lends a connection; waits for one at most as long as `limit`.
    package func withConnection<Value: Sendable>(
        within limit: Duration = .seconds(30),
        _ body: @Sendable (PostgresConnection) async throws -> Value,
    ) async throws -> Value {
        let connection = try await self.take(within: limit)
        do {
            let value = try await body(connection)
            await self.giveBack(connection)
            return value
        } catch {
            await self.giveBack(connection)
            throw error
        }
    }

    /// Closes idle connections now and the others as they come back; nobody gets one any more.
    package func close() async {
        self.isClosed = true
        let (idle, waiters) = (self.idle, self.waiters)
        (self.idle, self.waiters) = ([], [])
        for waiter in waiters { waiter.finish(with: .failure(self.closedError)) }
        for connection in idle { await self.discard(connection) }
    }
}

extension PostgresPool {
    private var closedError: PostgresError {
        PostgresError(.closed, during: "take a connection", "the pool is closed")
    }

    private func take(within limit: Duration) async throws(PostgresError) -> PostgresConnection {
        let deadline = ContinuousClock.now.advanced(by: limit)
        while true {
            guard !self.isClosed else { throw self.closedError }
            while let connection = self.idle.popLast() {
                if await connection.isIdle { return connection }
                await self.discard(connection)
            }
            if self.counts.open < self.configuration.maximumConnections { return try await self.open() }
            let remaining = ContinuousClock.now.duration(to: deadline)
            if let connection = try await self.wait(atMost: remaining) { return connection }
        }
    }

    private func open() async throws(PostgresError) -> PostgresConnection {
        self.counts.open += 1
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(self.configuration, on: self.loop)
            self.counts.opened += 1
            return connection
        } catch {
            self.counts.open -= 1
            self.wakeOldestWaiter(with: nil)
            throw error
        }
    }

    /// A connection that somebody gave back, or nothing where there is room now to open one.
    private func wait(atMost limit: Duration) async throws(PostgresError) -> PostgresConnection? {
        try await withCheckedContinuation { continuation in
            self.lastWaiterNumber += 1
            let number = self.lastWaiterNumber
            let timer = self.loop.after(limit) { [weak self] in
                self?.assumeIsolated { $0.giveUp(number, after: limit) }
            }
            self.waiters.append(Waiter(number, timer, continuation))
        }.get()
    }

    private func giveUp(_ number: Int, after limit: Duration) {
        guard let index = self.waiters.firstIndex(where: { $0.number == number }) else { return }
        self.counts.exhausted += 1
        let message = "all \(self.configuration.maximumConnections) connections were in use for \(limit)"
        let error = PostgresError(.poolExhausted, during: "take a connection", message)
        self.waiters.remove(at: index).finish(with: .failure(error))
    }

    private func giveBack(_ connection: PostgresConnection) async {
        guard await connection.isIdle, !self.isClosed else {
            await self.discard(connection)
            return self.wakeOldestWaiter(with: nil)
        }
        if self.waiters.isEmpty {
            self.idle.append(connection)
        } else {
            self.wakeOldestWaiter(with: connection)
        }
    }

    private func discard(_ connection: PostgresConnection) async {
        self.counts.open -= 1
        self.counts.closed += 1
        await connection.close()
    }

    private func wakeOldestWaiter(with connection: PostgresConnection?) {
        guard !self.waiters.isEmpty else { return }
        self.waiters.removeFirst().finish(with: .success(connection))
    }
}

/// One caller that waits for a connection; used on the loop only.
private struct Waiter {
    let number: Int
    private let timer: LoopTimer
    private let continuation: CheckedContinuation<Result<PostgresConnection?, PostgresError>, Never>

    init(
        _ number: Int,
        _ timer: LoopTimer,
        _ continuation: CheckedContinuation<Result<PostgresConnection?, PostgresError>, Never>,
    ) {
        self.number = number
        self.timer = timer
        self.continuation = continuation
    }

    func finish(with outcome: Result<PostgresConnection?, PostgresError>) {
        self.timer.cancel()
        self.continuation.resume(returning: outcome)
    }
}
