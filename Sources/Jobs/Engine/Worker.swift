package import EventLoops
package import Logging
import MetricFamilies
import Metrics
package import Postgres
package import RabbitMQ
package import Tracing

/// The engine: consumes jobs, runs them, and relays what they have to say, until it is asked to end.
///
/// The job loop serves the consuming connection, the pool of the jobs and the handlers; the relay loop serves the
/// publishing connection and the relay's own PostgreSQL connection, so that a blocked broker stops nothing else.
package actor Worker {
    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let topology: Topology
    private let grace: Duration
    private let loops: (jobs: EventLoop, relay: EventLoop)
    /// For jobs one a queue, in the order of the families: what befalls one leaves the others alone.
    private let clients: (jobs: [RabbitMQClient], relay: RabbitMQClient)
    private let families: [String]
    private let gauges: RabbitMQClient
    private let broker: RabbitMQConfiguration
    private let pools: [PostgresPool]
    private let session: WorkerSession
    private let relay: OutboxRelay
    private let consumer: JobConsumer
    private let housekeeping: Housekeeping
    private let backlog: BacklogWatch
    private let health: WorkerHealth
    private let logger: Logger
    private var topologyFaults: [String] = []

    /// How long the last events may take to get out.
    private static let closeTimeout: Duration = .seconds(2)

    /// Nothing is connected before `run`.
    ///
    /// - Parameters:
    ///   - pool: Of the job loop; the handlers share it.
    ///   - database: Where the relay's own connections lead.
    ///   - direct: The same database for the worker's session, past any pooler.
    ///   - health: Hears what the worker has and how it moves.
    ///   - explain: Says of a refusal what the role in PostgreSQL, or the schema, lacks, as far as it can be found.
    ///   - tracer: Gets a span for each start of a job; nil if nobody collects them.
    package init(
        settings: WorkerSettings,
        kinds: KindTable,
        topology: Topology,
        pool: PostgresPool,
        database: PostgresConfiguration,
        direct: PostgresConfiguration,
        broker: RabbitMQConfiguration,
        health: WorkerHealth,
        explain: @escaping @Sendable (PostgresError) async -> String = { "\($0)" },
        tracer: (any Tracer)? = nil,
        jobLoop: EventLoop,
        relayLoop: EventLoop,
        logger: Logger,
    ) {
        var settings = settings
        if settings.families.isEmpty { settings.families = topology.families.map(\.queue) }
        let identity = WorkerIdentity(
            name: settings.name,
            version: settings.version,
            queues: settings.families,
            slots: settings.concurrency
        )
        // No step of the relay may last as long as one that counts as standing still.
        let relayConfiguration = database.with {
            $0.connections = 1...3
            $0.callDeadline = .seconds(20)
        }
        let relayPool = PostgresPool(relayConfiguration, named: "relay", on: relayLoop, logger: logger)
        // What takes its time must not leave the relay without a connection.
        let upkeepConfiguration = relayConfiguration.with { $0.connections = 0...2 }
        let upkeepPool = PostgresPool(upkeepConfiguration, named: "upkeep", on: relayLoop, logger: logger)
        let relay = OutboxRelay(
            pool: relayPool,
            topology: topology,
            health: health,
            loop: relayLoop,
            logger: logger
        )
        let session = WorkerSession(
            direct,
            beside: pool,
            worker: identity,
            health: health,
            loop: jobLoop,
            logger: logger
        )
        let queues = settings.families.map { topology.queue($0) }
        let metrics = JobMetrics(kinds: kinds.names, queues: queues, slots: settings.concurrency)
        let ledger = Ledger(pool: pool, worker: identity, maximumStarts: settings.maximumStarts)
        let gate = RefusalGate(health: health, explain: explain, loop: jobLoop, logger: logger)
        let runner = JobRunner(
            kinds: kinds,
            settings: settings,
            topology: topology,
            ledger: ledger,
            session: session,
            database: RetryingDatabase(pool: pool, gate: gate, loop: jobLoop, logger: logger),
            relay: relay,
            health: health,
            metrics: metrics,
            tracer: tracer,
            loop: jobLoop,
            logger: logger,
        )
        self.consumer = JobConsumer(
            queues: queues,
            settings: settings,
            topology: topology,
            session: session,
            gate: gate,
            runner: runner,
            health: health,
            metrics: metrics,
            loop: jobLoop,
            logger: logger,
        )
        self.clients = (
            jobs: settings.families.map { family in
                let named = broker.with { $0.connectionName += " \(family)" }
                return RabbitMQClient(named, on: jobLoop, logger: logger)
            },
            relay: RabbitMQClient(
                broker.with { $0.connectionName += " relay" },
                on: relayLoop,
                logger: logger
            )
        )
        self.housekeeping = Housekeeping(
            pool: upkeepPool,
            retention: settings.ledgerRetention,
            loop: relayLoop,
            logger: logger
        )
        self.backlog = BacklogWatch(
            families: settings.families,
            topology: topology,
            pool: upkeepPool,
            loop: relayLoop,
            logger: logger
        )
        self.gauges = RabbitMQClient(
            broker.with { $0.connectionName += " gauges" },
            on: relayLoop,
            logger: logger
        )
        self.broker = broker
        self.families = settings.families
        self.health = health
        self.loop = jobLoop
        self.loops = (jobLoop, relayLoop)
        self.topology = topology
        self.grace = settings.shutdownGrace
        self.pools = [relayPool, upkeepPool]
        self.session = session
        self.relay = relay
        self.logger = logger
    }

    /// Works until `shutdown` returns, then ends in order: nothing new, a grace period for what runs, the rest goes
    /// back to the queues with no attempt used.
    ///
    /// `shutdown` may be awaited more than once. Throws `UnsafeTopology` before anything is consumed.
    package func run(until shutdown: @escaping @Sendable () async -> Void) async throws {
        guard await self.checkTopology(until: shutdown) else { return }
        guard self.topologyFaults.isEmpty else { throw UnsafeTopology(faults: self.topologyFaults) }
        await self.relaying {
            await self.attended { await self.consume(until: shutdown) }
        }
        for pool in self.pools { await pool.close() }
        self.logger.info("shut down cleanly")
    }
}

extension Worker {
    /// Asks the broker, as soon as it is there; false if the end came first.
    private func checkTopology(until shutdown: @escaping @Sendable () async -> Void) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask(executorPreference: self.loops.jobs) {
                await self.clients.jobs.first?.run { try await self.checkTopology(on: $0) }
                return true
            }
            group.addTask {
                await shutdown()
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    private func checkTopology(on connection: RabbitMQConnection) async throws {
        self.topologyFaults = try await self.topology.faults(on: connection)
    }

    /// Runs `body` with the relay beside it, and lets the relay send the last events afterwards.
    private func relaying(_ body: () async -> Void) async {
        await withTaskGroup { group in
            group.addTask(executorPreference: self.loops.relay) {
                let presence = ConnectionPresence("relay", .relayConnection, self.health)
                await self.clients.relay.run { try await self.relay(over: $0, presence) }
            }
            await body()
            await self.relay.finish()
            group.addTask(executorPreference: self.loops.relay) {
                try? await self.loops.relay.sleep(for: Self.closeTimeout)
            }
            await group.next()
            group.cancelAll()
        }
    }

    private static let blocked = GaugeFamily(
        "gpudev_publishing_blocked",
        "1 while the broker accepts no messages (connection.blocked): memory or disk alarm."
    )

    private func relay(over connection: RabbitMQConnection, _ presence: ConnectionPresence) async throws {
        let blocked = Self.blocked()
        await connection.observeBlocking { blocked.set($0 ? 1 : 0) }
        blocked.set(await connection.isBlocked ? 1 : 0)
        try await presence.during {
            try await withThrowingTaskGroup { group in
                group.addTask(executorPreference: self.loops.relay) {
                    await self.relay.probe(over: self.broker)
                }
                group.addTask(executorPreference: self.loops.relay) { await self.relay.searchStart() }
                try await self.relay.run(over: connection)
                group.cancelAll()
            }
        }
    }

    /// Runs `body` while the worker's own session is held and the ledger is kept short.
    private func attended(_ body: () async -> Void) async {
        await withTaskGroup { group in
            group.addTask(executorPreference: self.loops.jobs) {
                await self.session.run { self.relay.wake() }
            }
            group.addTask(executorPreference: self.loops.relay) { await self.housekeeping.run() }
            group.addTask(executorPreference: self.loops.relay) { await self.housekeeping.freeKeys() }
            group.addTask(executorPreference: self.loops.relay) { await self.backlog.watchOutbox() }
            group.addTask(executorPreference: self.loops.relay) {
                await self.gauges.run { await self.backlog.watchQueues(over: $0) }
            }
            await body()
            group.cancelAll()
        }
    }

    private func consume(until shutdown: @escaping @Sendable () async -> Void) async {
        await withTaskGroup { group in
            for (lane, client) in self.clients.jobs.enumerated() {
                group.addTask(executorPreference: self.loops.jobs) {
                    let presence = ConnectionPresence(self.families[lane], nil, self.health)
                    await client.run { connection in
                        try await presence.during { try await self.consumer.consume(lane, over: connection) }
                    }
                }
            }
            await self.work(until: shutdown)
            await self.consumer.settle()
            group.cancelAll()
        }
    }

    private func work(until shutdown: @escaping @Sendable () async -> Void) async {
        await withTaskGroup { group in
            group.addTask(executorPreference: self.loops.jobs) { await self.consumer.work() }
            await shutdown()
            self.health.drain()
            self.logger.info("ending: jobs that run get \(self.grace) more")
            group.addTask(executorPreference: self.loops.jobs) {
                try? await self.loops.jobs.sleep(for: self.grace)
            }
            await self.consumer.drain()
            await group.next()
            group.cancelAll()
        }
    }
}

/// The exchanges and queues are not as they must be; working on them could lose jobs.
package struct UnsafeTopology: Error {
    /// Sentences that say what to do.
    package let faults: [String]
}
