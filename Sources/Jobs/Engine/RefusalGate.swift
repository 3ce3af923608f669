import Calls
import EventLoops
import Logging
import Postgres
import Synchronization

/// Holds up what the worker does for itself while PostgreSQL refuses it: a right of its role or a migration is missing.
///
/// What was refused to one job would be refused to all. So nothing is given back, which the broker would count; one
/// operation probes with growing pauses, and the others go on when it was let through. Meanwhile the worker is not
/// ready, and its health says what is missing.
actor RefusalGate {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let health: WorkerHealth
    private let explain: @Sendable (PostgresError) async -> String
    private let logger: Logger
    private nonisolated let isShut = Atomic(false)
    private var hasProber = false
    private var backoff = BackoffState(Backoff(base: .milliseconds(500), cap: .seconds(5), jitter: 0.5...1))
    private var waiters: [Int: CheckedContinuation<Role, Never>] = [:]
    private var lastWaiter = 0

    /// What somebody may do who has come through.
    enum Role: Sendable {
        /// Nothing is refused, as far as is known.
        case passer
        /// Whether it goes on for all depends on this one, who must report what came of it.
        case prober
    }

    /// - Parameters:
    ///   - health: Hears that the schema is not as it must be, and why.
    ///   - explain: Says of a refusal what the role or the schema lacks, as far as it can be found.
    init(
        health: WorkerHealth,
        explain: @escaping @Sendable (PostgresError) async -> String,
        loop: EventLoop,
        logger: Logger
    ) {
        self.health = health
        self.explain = explain
        self.loop = loop
        self.logger = logger
    }

    /// Waits while something is refused; at once where nothing is.
    nonisolated func pass() async throws(Interrupted) -> Role {
        guard self.isShut.load(ordering: .relaxed) else { return .passer }
        return try await self.wait()
    }

    /// Waits while something is refused, for whoever brings new jobs; where nobody else is left to probe, they do.
    func waitUntilOpen() async throws(Interrupted) {
        while self.isShut.load(ordering: .relaxed) {
            if try await self.wait() == .prober { self.open() }
        }
    }

    /// Waits until it is worth another attempt, after a refusal.
    func refused(_ role: Role, because error: PostgresError) async throws(Interrupted) -> Role {
        if role == .passer, self.hasProber { return try await self.wait() }
        self.hasProber = true
        self.isShut.store(true, ordering: .relaxed)
        await self.report(error)
        return try await self.pause()
    }

    /// Lets everybody through, after the prober was.
    func open() {
        self.hasProber = false
        self.backoff.reset()
        self.isShut.store(false, ordering: .relaxed)
        self.health.note(.schema)
        self.logger.info("PostgreSQL does again what the worker needs for itself")
        let waiters = self.waiters.values
        self.waiters = [:]
        for waiter in waiters { waiter.resume(returning: .passer) }
    }

    /// Has somebody else probe, since the prober has ended for another reason.
    func handOver() {
        self.hasProber = false
        guard let next = self.waiters.keys.min() else { return }
        self.hasProber = true
        self.waiters.removeValue(forKey: next)?.resume(returning: .prober)
    }

    private func wait() async throws(Interrupted) -> Role {
        guard self.isShut.load(ordering: .relaxed) else { return .passer }
        guard self.hasProber else {
            self.hasProber = true
            return try await self.pause()
        }
        self.lastWaiter += 1
        let waiter = self.lastWaiter
        let role = await withTaskCancellationHandler {
            await withCheckedContinuation { self.waiters[waiter] = $0 }
        } onCancel: {
            self.loop.execute {
                self.assumeIsolated { $0.waiters.removeValue(forKey: waiter)?.resume(returning: .passer) }
            }
        }
        if Task.isCancelled {
            if role == .prober { self.handOver() }
            throw Interrupted()
        }
        return role == .prober ? try await self.pause() : .passer
    }

    private func pause() async throws(Interrupted) -> Role {
        do {
            try await self.loop.sleep(for: self.backoff.next())
            return .prober
        } catch {
            self.handOver()
            throw Interrupted()
        }
    }

    private func report(_ error: PostgresError) async {
        let trouble = await self.explain(error)
        self.health.note(.schema, lacking: trouble)
        self.logger.error(
            "PostgreSQL refuses what the worker needs for itself; holding all jobs",
            metadata: ["error": "\(trouble)"]
        )
    }
}
