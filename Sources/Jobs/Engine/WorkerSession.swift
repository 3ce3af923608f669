import EventLoops
import Logging
import Postgres

/// The session by which others know that this worker lives: it holds the worker's advisory lock.
///
/// PostgreSQL gives the lock up when the process dies, and then the worker's claims are free at once. The session
/// also listens for jobs that were enqueued in SQL. It must not pass a pooler that shares sessions.
actor WorkerSession {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let configuration: PostgresConfiguration
    private let worker: WorkerIdentity
    private let health: WorkerHealth
    private let metrics = ConnectionMetrics("session")
    private let logger: Logger
    private var isHeld = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// How often the session is asked whether it still leads to a server that others can write to.
    private static let pulse: Duration = .seconds(3)

    init(
        _ configuration: PostgresConfiguration,
        worker: WorkerIdentity,
        health: WorkerHealth,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.configuration = configuration
        self.worker = worker
        self.health = health
        self.loop = loop
        self.logger = logger
    }

    /// Holds the lock, again and again if the session is lost, until the task is cancelled.
    func run(onNotification: @escaping @Sendable () -> Void) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                let connection = try await PostgresConnection.connect(
                    self.configuration,
                    on: self.loop,
                    logger: self.logger
                )
                do {
                    try await self.hold(connection, onNotification: onNotification)
                } catch {
                    await connection.close()
                    throw error
                }
                await connection.close()
                self.health.note(.database, lacking: "the worker's own session was lost")
            } catch {
                self.logger.warning("the worker's own session is away", metadata: ["error": "\(error)"])
                self.health.note(.database, lacking: "\(error)")
            }
            if self.isHeld { backoff = Backoff() }
            self.isHeld = false
            self.metrics.closed()
            try? await self.loop.sleep(for: backoff.next())
        }
    }

    /// Returns or throws when the session has ended, or leads to a server that has become a standby.
    private func hold(_ connection: PostgresConnection, onNotification: @escaping @Sendable () -> Void)
        async throws
    {
        try await self.endEarlierSession(over: connection)
        _ = try await connection.run("SELECT pg_advisory_lock(\(self.worker.lock)::bigint)")
        try await connection.listen(to: "gpudev_outbox")
        try await Self.checkWritable(connection)
        self.becomeHeld()
        onNotification()
        let loop = self.loop
        try await withThrowingTaskGroup { group in
            group.addTask(executorPreference: loop) {
                for await _ in connection.notifications { onNotification() }
            }
            group.addTask(executorPreference: loop) { try await Self.watch(connection, on: loop) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// PostgreSQL may not have noticed yet that the session before is gone, and would let it keep the lock.
    ///
    /// Nobody else takes this lock for good; the others only try, in shared mode.
    private func endEarlierSession(over connection: PostgresConnection) async throws {
        _ = try await connection.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
                AND (classid::bigint << 32) | objid::bigint = \(self.worker.lock)::bigint
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        )
    }

    /// After a failover the others claim jobs on another server, where this one's lock does not stand.
    private static func watch(_ connection: PostgresConnection, on loop: EventLoop) async throws {
        while true {
            try await loop.sleep(for: Self.pulse)
            try await Self.checkWritable(connection)
        }
    }

    private static func checkWritable(_ connection: PostgresConnection) async throws {
        if try await connection.isReadOnly(within: Self.pulse) { throw StandbySession() }
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

/// The session's server takes no writes: it has become a standby.
private struct StandbySession: Error, CustomStringConvertible {
    var description: String { "the server has become read-only; looking for the one that is not" }
}
