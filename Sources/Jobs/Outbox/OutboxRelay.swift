import EventLoops
import Logging
import Postgres
import RabbitMQ
import Synchronization

/// Publishes what the outbox holds, and deletes a row only when the broker is answerable for its message.
///
/// Every worker runs one, on the relay loop, independent of the jobs. What its own jobs have just committed is handed to
/// it in memory and published at once; the rows are left alone by others for a moment. For all else, and for what was
/// left behind, a batch of due rows is locked, skipping those that another relay is at, published, and deleted in the
/// same transaction. Confirms are pipelined either way. Dying anywhere in between publishes a message again, with the
/// same id. What nobody's queue would take stays, is reported, and is tried again later.
actor OutboxRelay {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let pool: PostgresPool
    private let topology: Topology
    private let health: WorkerHealth
    private let metrics: RelayMetrics
    private let logger: Logger
    private let alarm: Alarm
    private nonisolated let handed = Mutex<[OutboxDispatch]>([])
    private nonisolated let isDue = Atomic(true)
    private var isFinishing = false
    /// What has become of messages that were handed over, until their rows are deleted or put off together.
    private var settled: [(id: Int, outcome: PublishOutcome)] = []
    private var nextSettlement = ContinuousClock.now
    private var nextLook = ContinuousClock.now
    private var nextLookAtSchedules = ContinuousClock.now
    private var backoff = Backoff()

    /// How many rows travel at once; confirms of quorum queues want depth.
    private static let batch = 256

    /// How long rows that are done with gather: each transaction costs PostgreSQL as much as many rows in it.
    private static let gathering: Duration = .milliseconds(25)

    /// How many messages wait in memory; the rows of others are found when they are due.
    private static let mostHanded = 4096

    /// How long a message stays away that no queue would take.
    private static let pauseOfReturned: Duration = .seconds(30)

    /// How long a batch may take to be confirmed; its rows stay locked meanwhile.
    ///
    /// A broker that has just come back may lose what it takes before its queues have leaders, and never answers for
    /// it; the same messages go out again over another connection then.
    private static let patience: Duration = .seconds(6)

    /// How long the relay sleeps when nothing tells it that a row is due.
    private static let longestSleep: Duration = .seconds(2)

    init(pool: PostgresPool, topology: Topology, health: WorkerHealth, loop: EventLoop, logger: Logger) {
        self.pool = pool
        self.topology = topology
        self.health = health
        self.metrics = RelayMetrics(topology)
        self.loop = loop
        self.logger = logger
        self.alarm = Alarm(loop: loop)
    }

    /// Tells the relay, from any thread, that the outbox has rows it does not know of.
    nonisolated func wake() {
        self.isDue.store(true, ordering: .releasing)
        self.alarm.ring()
    }

    /// Takes, from any thread, messages whose rows have been committed.
    nonisolated func send(_ dispatches: [OutboxDispatch]) {
        self.handed.withLock { handed in
            handed += dispatches.prefix(Self.mostHanded - handed.count)
        }
        self.alarm.ring()
    }

    /// Lets the relay end once nothing is due any more.
    func finish() {
        self.isFinishing = true
        self.wake()
    }

    /// Publishes over `connection` until it is lost, the task is cancelled, or all is out after `finish`.
    func run(over connection: RabbitMQConnection) async throws(RabbitMQError) {
        defer { self.health.relayRests() }
        while await !connection.isClosed, !Task.isCancelled {
            self.health.relayMoves()
            do {
                if await connection.isBlocked {
                    if self.isFinishing { return }
                    await self.alarm.wait(atMost: Self.longestSleep)
                    continue
                }
                let hasPublished = try await self.publishHanded(over: connection)
                try await self.settle(atOnce: self.isFinishing && !hasPublished)
                try await self.look(over: connection)
                self.backoff = Backoff()
                guard !hasPublished, !self.isLookDue else { continue }
                if self.isFinishing && self.settled.isEmpty { return }
                let next = self.settled.isEmpty ? self.nextLook : min(self.nextSettlement, self.nextLook)
                await self.alarm.wait(atMost: ContinuousClock.now.duration(to: next))
            } catch let error as RabbitMQError where error.code == .blocked {
                // Another connection would be blocked too, after it had sent the same messages again.
                continue
            } catch let error as RabbitMQError {
                // With PostgreSQL away too they are found due later, and published again under their ids.
                try? await self.settle(atOnce: true)
                throw error
            } catch {
                self.logger.warning("the outbox cannot be read or written", metadata: ["error": "\(error)"])
                try? await self.loop.sleep(for: self.backoff.next())
            }
        }
    }
}

extension OutboxRelay {
    /// Publishes what was handed over, without a look at the outbox; whether there was anything.
    private func publishHanded(over connection: RabbitMQConnection) async throws -> Bool {
        let now = ContinuousClock.now
        let batch = self.handed.withLock { handed in
            let batch = Array(handed.prefix(Self.batch))
            handed.removeFirst(batch.count)
            return batch
        }.filter { $0.expiry > now }
        guard !batch.isEmpty else { return false }
        let messages = batch.map { self.outgoing($0.id, $0.message) }
        let outcomes = try await self.metrics.publish(messages, over: connection, within: Self.patience)
        if self.settled.isEmpty { self.nextSettlement = ContinuousClock.now + Self.gathering }
        self.settled += zip(batch, outcomes).map { ($0.id, $1) }
        return true
    }

    /// Deletes or puts off the rows of what was handed over, many at a time.
    private func settle(atOnce: Bool) async throws {
        guard !self.settled.isEmpty, atOnce || ContinuousClock.now >= self.nextSettlement else { return }
        self.health.relayMoves()
        try await self.pool.pipeline(self.settlement(self.settled))
        self.settled = []
    }

    private var isLookDue: Bool {
        self.isDue.load(ordering: .acquiring) || ContinuousClock.now >= self.nextLook
    }

    /// Publishes what is due, one batch at a time, if it is time for that.
    private func look(over connection: RabbitMQConnection) async throws {
        guard self.isLookDue else { return }
        self.isDue.store(false, ordering: .releasing)
        self.health.relayMoves()
        try await self.enqueueDueSchedules()
        self.health.relayMoves()
        let isEmpty = try await self.publishBatch(over: connection)
        self.nextLook = ContinuousClock.now + (isEmpty ? try await self.timeUntilNextRow() : .zero)
    }

    /// At most once a second; a schedule is not more precise than that.
    private func enqueueDueSchedules() async throws {
        let now = ContinuousClock.now
        guard now >= self.nextLookAtSchedules else { return }
        _ = try await self.pool.run("SELECT enqueue_due_schedules()")
        self.nextLookAtSchedules = now + .seconds(1)
    }

    /// Publishes one batch, a smaller one after a failure; whether there was less than a whole one.
    private func publishBatch(over connection: RabbitMQConnection) async throws -> Bool {
        let limit = max(1, Self.batch >> min(self.backoff.failures, 8))
        return try await self.pool.transaction { transaction in
            let rows = try await transaction.run(
                """
                SELECT id, destination, routing_key, message_id, type, content_type, correlation_id,
                    headers::text AS headers, properties::text AS properties, body,
                    extract(epoch FROM available_at)::bigint AS due_at
                FROM outbox WHERE available_at <= now() ORDER BY available_at, id
                LIMIT \(limit) FOR UPDATE SKIP LOCKED
                """
            ).rows
            guard !rows.isEmpty else { return true }
            let (batch, unreadable) = try self.read(rows)
            self.health.relayMoves()
            let messages = batch.map(\.message)
            let outcomes = try await self.metrics.publish(messages, over: connection, within: Self.patience)
            let told = zip(batch, outcomes).map { ($0.id, $1) }
            try await transaction.commit(after: self.settlement(told + unreadable))
            return rows.count < limit
        }
    }

    /// The rows as messages; one that cannot be read must not hold up the others.
    private func read(_ rows: PostgresRows) throws -> (
        [(id: Int, message: OutgoingMessage)], [(Int, PublishOutcome)]
    ) {
        var batch: [(id: Int, message: OutgoingMessage)] = []
        var unreadable: [(Int, PublishOutcome)] = []
        for row in rows {
            let id: Int = try row.read("id")
            do {
                let message = try OutboxMessage(row).sent(at: try row.read("due_at"))
                batch.append((id, self.outgoing(id, message)))
            } catch {
                let reason = RabbitMQError(
                    .invalidMessage,
                    during: "outbox",
                    "the row cannot be read: \(error)"
                )
                unreadable.append((id, .unsendable(reason)))
            }
        }
        return (batch, unreadable)
    }

    private func outgoing(_ id: Int, _ row: OutboxMessage) -> OutgoingMessage {
        var message = row.message
        message.properties.headers[OutboxMessage.idHeader] = .int64(Int64(id))
        return OutgoingMessage(
            message,
            to: self.topology.exchange(row.destination),
            routingKey: row.routingKey
        )
    }

    /// The statements that delete what is confirmed and put off what is not.
    ///
    /// They need not wait for the disk: if PostgreSQL forgets them in a crash, messages go out again under their ids.
    private func settlement(_ outcomes: [(id: Int, outcome: PublishOutcome)]) -> [SQL] {
        let confirmed = outcomes.filter { $0.outcome.isConfirmed }.map(\.id)
        let others = outcomes.filter { !$0.outcome.isConfirmed }
        for (id, outcome) in others {
            self.logger.error(
                "an outgoing message was not taken and stays in the outbox",
                metadata: ["outbox.id": "\(id)", "outcome": "\(outcome)"]
            )
        }
        KillPoint.confirmed.reach()
        var statements: [SQL] = [
            "SELECT set_config('synchronous_commit', 'off', true)",
            "DELETE FROM outbox WHERE id = ANY(\(confirmed)::bigint[])",
        ]
        if !others.isEmpty {
            let (ids, pause) = (others.map(\.id), Self.pauseOfReturned.milliseconds)
            statements.append(
                """
                UPDATE outbox SET available_at = now() + \(pause)::bigint * interval '1 ms'
                WHERE id = ANY(\(ids)::bigint[])
                """
            )
        }
        return statements
    }

    private func timeUntilNextRow() async throws -> Duration {
        let row = try await self.pool.run(
            """
            SELECT (extract(epoch FROM least(
                (SELECT min(available_at) FROM outbox WHERE available_at > now()),
                (SELECT min(next_run_at) FROM job_schedules WHERE is_enabled)) - now()) * 1000)::bigint AS wait
            """
        ).rows.first
        guard let wait: Int = try row?.readOptional("wait") else { return Self.longestSleep }
        return min(Self.longestSleep, max(.milliseconds(1), .milliseconds(wait + 1)))
    }
}
