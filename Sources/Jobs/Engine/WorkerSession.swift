import Calls
import EventLoops
import Logging
import Postgres

/// The session by which others know that this worker lives: it holds the worker's advisory lock, and writes down in
/// `workers` that it is there.
///
/// A worker is dead for the others when its lock is free and it was not seen for twelve seconds (`is_dead_worker`). So a
/// session that is lost may be made again while jobs go on; where that takes too long, this worker stops what it does
/// before others may begin it. The session also listens for jobs that were enqueued in SQL. It must not pass a pooler
/// that shares sessions.
actor WorkerSession {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let configuration: PostgresConfiguration
    private let pool: PostgresPool
    private let worker: WorkerIdentity
    private let health: WorkerHealth
    private let metrics = ConnectionMetrics("session")
    private let logger: Logger
    private var isHeld = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// Until when nobody takes this worker for dead, with time to spare; in the past if others may by now.
    private var trustedUntil = ContinuousClock.now
    private var lapseTimer: LoopTimer?
    private var lapseWaiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var lastLapseWaiter = 0

    /// How often the worker writes down that it is there, and how long that may take.
    private static let pulse: Duration = .seconds(2)

    /// How long after it was seen a worker may act.
    ///
    /// The five seconds less than what others wait for are for calls that are cancelled and already on their way.
    private static let trust: Duration = .seconds(7)

    /// How long taking leave may hold up the worker's end.
    private static let releaseTimeout: Duration = .seconds(2)

    init(
        _ configuration: PostgresConfiguration,
        beside pool: PostgresPool,
        worker: WorkerIdentity,
        health: WorkerHealth,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.configuration = configuration.with { $0.connectDeadline = .seconds(3) }
        self.pool = pool
        self.worker = worker
        self.health = health
        self.loop = loop
        self.logger = logger
    }

    /// Holds the lock, again and again if the session is lost, until the task is cancelled.
    func run(onNotification: @escaping @Sendable () -> Void) async {
        var backoff = BackoffState(Backoff(base: .milliseconds(100), cap: .seconds(1), jitter: 0.5...1))
        // Until then no job is claimed, whatever else has found the database there.
        self.health.note(.database, lacking: "the worker's own session is not there yet")
        while !Task.isCancelled {
            do {
                let connection = try await self.connect()
                do {
                    try await self.hold(connection, onNotification: onNotification)
                } catch {
                    if Task.isCancelled { await self.takeLeave(over: connection) }
                    await connection.close()
                    throw error
                }
                await connection.close()
                self.health.note(.database, lacking: "the worker's own session was lost")
            } catch {
                self.logger.warning("the worker's own session is away", metadata: ["error": "\(error)"])
                self.health.note(.database, lacking: "\(error)")
            }
            if self.isHeld { backoff.reset() }
            self.isHeld = false
            self.metrics.closed()
            try? await self.loop.sleep(for: backoff.next())
        }
    }

    private func connect() async throws(PostgresError) -> PostgresConnection {
        try await PostgresConnection.connect(self.configuration, on: self.loop, logger: self.logger)
    }

    /// Returns or throws when the session has ended, or leads to a server that has become a standby.
    private func hold(_ connection: PostgresConnection, onNotification: @escaping @Sendable () -> Void)
        async throws
    {
        try await self.endEarlierSession(over: connection)
        _ = try await connection.run("SELECT pg_advisory_lock(\(self.worker.lock)::bigint)")
        // Jobs are claimed over the pool: a lock that cannot be seen from there keeps nobody away.
        guard try await self.pool.seesLock(self.worker.lock) else { throw SeparateDatabases() }
        try await connection.listen(to: "gpudev_outbox")
        try await self.beSeen(over: connection)
        self.becomeHeld()
        onNotification()
        let loop = self.loop
        try await withThrowingTaskGroup { group in
            group.addTask(executorPreference: loop) {
                for await _ in connection.notifications { onNotification() }
            }
            group.addTask(executorPreference: loop) { try await self.watch(connection) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// PostgreSQL may not have noticed yet that the session before is gone, and would let it keep the lock.
    ///
    /// Nobody else takes this lock for good; the others only try, in shared mode.
    private func endEarlierSession(over connection: PostgresConnection) async throws {
        _ = try await connection.run(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE \(SQL.isExclusiveLock(self.worker.lock))"
        )
    }

    /// After a failover the others claim jobs on another server, where this one's lock does not stand.
    private func watch(_ connection: PostgresConnection) async throws {
        while true {
            try await self.loop.sleep(for: Self.pulse)
            try await self.beSeen(over: connection)
        }
    }

    private func beSeen(over connection: PostgresConnection) async throws {
        if try await connection.isReadOnly(within: Self.pulse) { throw StandbySession() }
        // PostgreSQL notes a later time than this one.
        let sent = ContinuousClock.now
        _ = try await connection.run(
            """
            INSERT INTO workers (lock, name, version, queues, slots)
            VALUES (\(self.worker.lock)::bigint, \(self.worker.name), \(self.worker.version),
                \(self.worker.queues)::text[], \(self.worker.slots))
            ON CONFLICT (lock) DO UPDATE SET seen_at = now()
            """,
            within: Self.pulse
        )
        self.trust(until: sent + Self.trust)
    }

    /// Lets others have at once what this worker held.
    private func takeLeave(over connection: PostgresConnection) async {
        let leave: SQL = "DELETE FROM workers WHERE lock = \(self.worker.lock)::bigint"
        // The caller's task is cancelled by now, and with it a pulse may have been, which ends the connection.
        let parting = Task(executorPreference: self.loop) {
            do {
                _ = try await connection.run(leave, within: Self.releaseTimeout)
            } catch {
                let another = try await self.connect()
                _ = try await another.run(leave, within: Self.releaseTimeout)
                await another.close()
            }
        }
        if case .failure(let error) = await parting.result {
            self.logger.warning("the worker could not take leave", metadata: ["error": "\(error)"])
        }
    }

    /// Returns once the lock is held; throws `Interrupted` when the task is cancelled before.
    func waitUntilHeld() async throws(Interrupted) {
        while !self.isHeld {
            if Task.isCancelled { throw Interrupted() }
            await withTaskCancellationHandler {
                await withCheckedContinuation { self.waiters.append($0) }
            } onCancel: {
                self.loop.execute { self.assumeIsolated { $0.wakeWaiters() } }
            }
        }
    }

    /// Runs `body` for as long as nobody may take this worker for dead; then cancels it and throws `SessionLapsed`.
    ///
    /// Returns only when `body` has: whatever it was doing is over.
    nonisolated func whileTrusted<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask(executorPreference: self.loop) { try await body() }
            group.addTask(executorPreference: self.loop) {
                try await self.waitForLapse()
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else { throw SessionLapsed() }
            return value
        }
    }

    private func waitForLapse() async throws {
        while ContinuousClock.now < self.trustedUntil {
            try Task.checkCancellation()
            self.lastLapseWaiter += 1
            let waiter = self.lastLapseWaiter
            await withTaskCancellationHandler {
                await withCheckedContinuation { self.lapseWaiters[waiter] = $0 }
            } onCancel: {
                self.loop.execute { self.assumeIsolated { $0.stopWaitingForLapse(waiter) } }
            }
        }
        try Task.checkCancellation()
    }

    private func stopWaitingForLapse(_ waiter: Int) {
        self.lapseWaiters.removeValue(forKey: waiter)?.resume()
    }

    private func trust(until moment: ContinuousClock.Instant) {
        self.trustedUntil = moment
        if self.lapseTimer == nil { self.awaitLapse() }
    }

    /// One timer at a time, which finds that the moment has moved on where the worker was seen again.
    private func awaitLapse() {
        let rest = max(.zero, ContinuousClock.now.duration(to: self.trustedUntil))
        self.lapseTimer = self.loop.after(rest) { [weak self] in
            self?.assumeIsolated { $0.lapse() }
        }
    }

    private func lapse() {
        guard ContinuousClock.now >= self.trustedUntil else { return self.awaitLapse() }
        self.lapseTimer = nil
        let waiters = self.lapseWaiters.values
        self.lapseWaiters = [:]
        for waiter in waiters { waiter.resume() }
    }

    private func becomeHeld() {
        self.isHeld = true
        self.health.note(.database)
        self.metrics.opened()
        self.wakeWaiters()
    }

    /// All look again whether they may go on.
    private func wakeWaiters() {
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume() }
    }
}

/// This worker could not write for so long that others may soon take it for dead.
struct SessionLapsed: Error {}

/// The session is not in the database that jobs are claimed in.
package struct SeparateDatabases: Error, CustomStringConvertible {
    package init() {}

    package let description = """
        DATABASE_DIRECT_URL leads to another database than DATABASE_URL, so that workers could not tell which of them \
        live: let both lead to the same one
        """
}

/// The session's server takes no writes: it has become a standby.
private struct StandbySession: Error, CustomStringConvertible {
    var description: String { "the server has become read-only; looking for the one that is not" }
}
