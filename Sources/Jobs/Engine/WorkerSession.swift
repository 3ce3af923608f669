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
    private let logger: Logger
    private var isHeld = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(_ configuration: PostgresConfiguration, worker: WorkerIdentity, loop: EventLoop, logger: Logger) {
        self.configuration = configuration
        self.worker = worker
        self.loop = loop
        self.logger = logger
    }

    /// Holds the lock, again and again if the session is lost, until the task is cancelled.
    func run(onNotification: @Sendable () -> Void) async {
        while !Task.isCancelled {
            do {
                let connection = try await PostgresConnection.connect(
                    self.configuration,
                    on: self.loop,
                    logger: self.logger
                )
                try await self.hold(connection, onNotification: onNotification)
                await connection.close()
            } catch {
                self.logger.warning("the worker's own session is away", metadata: ["error": "\(error)"])
            }
            self.isHeld = false
            try? await self.loop.sleep(for: .milliseconds(Int.random(in: 100...1000)))
        }
    }

    private func hold(_ connection: PostgresConnection, onNotification: @Sendable () -> Void) async throws {
        _ = try await connection.run("SELECT pg_advisory_lock(\(self.worker.lock)::bigint)")
        try await connection.listen(to: "gpudev_outbox")
        self.becomeHeld()
        onNotification()
        for await _ in connection.notifications { onNotification() }
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
        self.wakeWaiters()
    }

    /// All look again whether they may go on.
    private func wakeWaiters() {
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume() }
    }
}
