import Calls
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
/// same transaction. Confirms are pipelined either way, and what was handed over does not wait for those before it. Dying
/// anywhere in between publishes a message again, with the same id. What nobody's queue would take stays, is reported,
/// and is tried again later.
///
/// Destinations do not wait for each other: a route whose messages the broker left unanswered is a suspect, and its
/// rows are left out of the batches until a probe over another connection was answered. What fails again and again
/// travels with the probes too, so that one message for which the broker ends the channel ends it for no other.
actor OutboxRelay {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    let pool: PostgresPool
    private let topology: Topology
    private let health: WorkerHealth
    private let metrics: RelayMetrics
    let logger: Logger
    private let alarm: WakeUp
    let reader = OutboxReader()
    private nonisolated let handed = Mutex(HandedMessages())
    private nonisolated let isDue = Atomic(true)
    private var isFinishing = false
    /// What has become of messages that were handed over, until they are recorded in PostgreSQL together.
    private var settlement = OutboxSettlement()
    private var nextSettlement = ContinuousClock.now
    /// The rows of messages that were handed over and that the broker has not answered for.
    private var unanswered: Set<Int> = []
    private var unansweredBytes = 0
    /// Why the connection is of no more use, if it is.
    private var failure: RabbitMQError?
    private var nextLook = ContinuousClock.now
    private var start = OutboxStart()
    private var nextLookAtSchedules = ContinuousClock.now
    var nextProbeOfFailing = ContinuousClock.now
    var suspects = FailingRoutes()
    private var backoff = BackoffState(Backoff(base: .milliseconds(200), cap: .seconds(5), jitter: 0.5...1))

    /// How many rows travel at once; confirms of quorum queues want depth.
    private static let batch = 256

    /// How many messages that were handed over may be unanswered, and how large they may be together.
    private static let mostUnanswered = (messages: 1024, bytes: 4 << 20)

    /// How long before another relay may find its row a message is left to whoever finds it.
    private static let leastHeadStart: Duration = .seconds(1)

    /// How long rows that are done with gather: each transaction costs PostgreSQL as much as many rows in it.
    private static let gathering: Duration = .milliseconds(100)

    /// How long a batch may take to be confirmed; its rows stay locked meanwhile.
    ///
    /// A broker that has just come back may lose what it takes before its queues have leaders, and never answers for
    /// it; the same messages go out again over another connection then.
    private static let confirmTimeout: Duration = .seconds(6)

    /// How long the rest of a batch may stay unanswered when the broker has answered for some of it.
    private static let silence: Duration = .seconds(2)

    /// How long the relay sleeps when nothing wakes it for a row that is due.
    private static let longestSleep: Duration = .seconds(2)

    init(pool: PostgresPool, topology: Topology, health: WorkerHealth, loop: EventLoop, logger: Logger) {
        self.pool = pool
        self.topology = topology
        self.health = health
        self.metrics = RelayMetrics(topology)
        self.loop = loop
        self.logger = logger
        self.alarm = WakeUp(loop: loop)
    }

    /// Tells the relay, from any thread, that the outbox has rows it does not know of.
    nonisolated func wake() {
        self.isDue.store(true, ordering: .releasing)
        self.alarm.ring()
    }

    /// Takes, from any thread, messages whose rows have been committed.
    nonisolated func send(_ dispatches: [OutboxDispatch]) {
        self.handed.withLock { $0.add(dispatches) }
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
        self.suspects.retryAll(at: .now)
        self.failure = nil
        while await !connection.isClosed, !Task.isCancelled {
            self.health.relayMoves()
            do {
                if let failure = self.failure.take() { throw failure }
                if await connection.isBlocked {
                    if self.isFinishing { return }
                    await self.alarm.wait(atMost: Self.longestSleep)
                    continue
                }
                let hasPublished = await self.publishHanded(over: connection)
                let isAnswered = self.unanswered.isEmpty && !hasPublished
                // Nothing that is done with shall be found again.
                try await self.settle(atOnce: self.isLookDue || self.isFinishing && isAnswered)
                try await self.look(over: connection)
                self.backoff.reset()
                guard !self.isLookDue, self.failure == nil else { continue }
                if self.isFinishing && isAnswered && self.settlement.isEmpty { return }
                let next = self.settlement.isEmpty ? self.nextLook : min(self.nextSettlement, self.nextLook)
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
        guard let failure = self.failure.take() else { return }
        try? await self.settle(atOnce: true)
        throw failure
    }
}

extension OutboxRelay {
    /// Publishes what was handed over, without a look at the outbox or a wait for the answers; whether there was anything.
    private func publishHanded(over connection: RabbitMQConnection) async -> Bool {
        guard self.hasRoom else { return false }
        let now = ContinuousClock.now
        let batch = self.handed.withLock { $0.take(Self.batch) }.filter {
            $0.expiry > now + Self.leastHeadStart && !self.suspects.contains($0.message.route)
        }
        guard !batch.isEmpty else { return false }
        for dispatch in batch {
            self.unanswered.insert(dispatch.id)
            self.unansweredBytes += dispatch.size
        }
        await connection.publish(
            batch.map { self.outgoing($0.id, $0.message) },
            within: Self.confirmTimeout,
            silence: Self.silence
        ) { outcomes in
            self.assumeIsolated { $0.answered(batch, outcomes, in: now.duration(to: .now)) }
        }
        return true
    }

    private var hasRoom: Bool {
        self.unanswered.count < Self.mostUnanswered.messages
            && self.unansweredBytes < Self.mostUnanswered.bytes
    }

    private func answered(_ batch: [OutboxDispatch], _ outcomes: [PublishOutcome], in duration: Duration) {
        let hadRoom = self.hasRoom
        for dispatch in batch {
            self.unanswered.remove(dispatch.id)
            self.unansweredBytes -= dispatch.size
        }
        let messages = batch.map(\.message)
        self.metrics.published(messages, outcomes, in: duration)
        if self.settlement.isEmpty {
            self.nextSettlement = ContinuousClock.now + Self.gathering
            self.alarm.ring()
        }
        for (dispatch, outcome) in zip(batch, outcomes) {
            self.settlement.note(dispatch.id, outcome, self.logger)
        }
        self.failure = self.failure(of: messages, outcomes) ?? self.failure
        // More may be published now, and somebody may wait for the last answer.
        if self.failure != nil || self.isFinishing || !hadRoom {
            self.alarm.ring()
        }
    }

    /// Publishes messages and notes which routes get no answer.
    ///
    /// The failure is there if the connection is of no more use: it has ended, is blocked, or nothing was answered.
    func publish(_ batch: [(id: Int, message: OutboxMessage)], over connection: RabbitMQConnection)
        async -> (outcomes: [PublishOutcome], failure: RabbitMQError?)
    {
        let start = ContinuousClock.now
        let outcomes = await connection.outcomes(
            of: batch.map { self.outgoing($0.id, $0.message) },
            within: Self.confirmTimeout,
            silence: Self.silence
        )
        let messages = batch.map(\.message)
        self.metrics.published(messages, outcomes, in: start.duration(to: .now))
        return (outcomes, self.failure(of: messages, outcomes))
    }

    /// Notes which routes got no answer; the failure is as `publish` has it.
    private func failure(of messages: [OutboxMessage], _ outcomes: [PublishOutcome]) -> RabbitMQError? {
        var (failure, hasAnswer): (RabbitMQError?, Bool) = (nil, false)
        var silent: Set<OutboxRoute> = []
        for (message, outcome) in zip(messages, outcomes) {
            guard case .unanswered(let error) = outcome else {
                hasAnswer = true
                continue
            }
            failure = error
            if error.isAboutMessages, silent.insert(message.route).inserted {
                self.suspects.suspect(message.route, at: .now)
            }
        }
        guard let failure else { return nil }
        self.logger.warning(
            "messages were left unanswered",
            metadata: [
                "count": "\(outcomes.count { if case .unanswered = $0 { true } else { false } })",
                "routes": "\(silent.map(\.routingKey).sorted().prefix(8).joined(separator: ","))",
                "error": "\(failure)",
            ]
        )
        return failure.code == .deadlineExceeded && hasAnswer ? nil : failure
    }

    /// Tells PostgreSQL what became of what was handed over, many rows at a time.
    private func settle(atOnce: Bool) async throws {
        guard !self.settlement.isEmpty, atOnce || ContinuousClock.now >= self.nextSettlement else { return }
        self.health.relayMoves()
        // More is noted while this is on its way.
        let settlement = self.settlement
        self.settlement = OutboxSettlement()
        do {
            try await self.pool.pipeline(settlement.statements)
        } catch {
            self.settlement.add(settlement)
            throw error
        }
    }

    /// Searches for the oldest row that is due, while looks from the beginning are slow, until the task is cancelled.
    func searchStart() async {
        while !Task.isCancelled {
            try? await self.loop.sleep(for: .seconds(1))
            guard self.start.isSearchDue(at: .now) else { continue }
            do {
                let begin = ContinuousClock.now
                guard let oldest = try await self.reader.oldestDue(in: self.pool) else { continue }
                let now = ContinuousClock.now
                if self.start.found(oldest, in: begin.duration(to: now), at: now) { self.wake() }
            } catch {
                self.logger.debug(
                    "the oldest row of the outbox was not found",
                    metadata: ["error": "\(error)"]
                )
            }
        }
    }

    private var isLookDue: Bool {
        self.isDue.load(ordering: .acquiring) || ContinuousClock.now >= self.nextLook
    }

    /// Publishes what is due, one batch at a time, if it is time for that.
    private func look(over connection: RabbitMQConnection) async throws {
        guard self.isLookDue else { return }
        self.isDue.store(false, ordering: .releasing)
        self.health.relayMoves()
        await self.enqueueDueSchedules()
        self.health.relayMoves()
        let isEmpty = try await self.publishBatch(over: connection)
        self.nextLook = ContinuousClock.now + (isEmpty ? try await self.timeUntilNextRow() : .zero)
    }

    /// At most once a second; a schedule is not more precise than that.
    ///
    /// Whatever is wrong with schedules, messages go out.
    private func enqueueDueSchedules() async {
        let now = ContinuousClock.now
        guard now >= self.nextLookAtSchedules else { return }
        self.nextLookAtSchedules = now + .seconds(1)
        do {
            _ = try await self.pool.run("SELECT enqueue_due_schedules()")
        } catch {
            self.logger.warning("the schedules could not be enqueued", metadata: ["error": "\(error)"])
        }
    }

    /// Publishes one batch, a smaller one after a failure; whether nothing more is due.
    private func publishBatch(over connection: RabbitMQConnection) async throws -> Bool {
        let limit = max(1, Self.batch >> min(self.backoff.failures, 8))
        let (isEmpty, failure) = try await self.pool.transaction { transaction -> (Bool, RabbitMQError?) in
            let begin = ContinuousClock.now
            var batch = try await self.reader.due(
                since: self.start.time,
                atMost: limit,
                excluding: self.suspects.all,
                in: transaction
            )
            self.start.looked(for: begin.duration(to: .now), at: .now)
            guard !batch.isEmpty else { return (true, nil) }
            self.health.relayMoves()
            batch.messages.removeAll { self.unanswered.contains($0.id) }
            let (outcomes, failure) = await self.publish(batch.messages, over: connection)
            let settlement = self.settlement(of: batch, outcomes)
            try await transaction.commit(after: settlement.statements)
            return (!batch.hasMore, failure)
        }
        if let failure { throw failure }
        return isEmpty
    }

    private func settlement(of batch: OutboxReader.Batch, _ outcomes: [PublishOutcome]) -> OutboxSettlement {
        var settlement = OutboxSettlement()
        for (row, outcome) in zip(batch.messages, outcomes) {
            settlement.note(row.id, outcome, self.logger)
        }
        for row in batch.unreadable { settlement.setAside(row.id, row.error, self.logger) }
        return settlement
    }

    private func outgoing(_ id: Int, _ row: OutboxMessage) -> OutgoingMessage {
        let wait = row.waitsSince
        return OutgoingMessage(
            wait.map { since in row.message.with { $0.headers[Envelope.waitHeader] = .int64(Int64(since)) } }
                ?? row.message,
            to: self.topology.exchange(row.destination),
            routingKey: row.routingKey,
            outboxID: Int64(id)
        )
    }

    private func timeUntilNextRow() async throws -> Duration {
        let row = try await self.pool.run(
            """
            SELECT (1000 * (least(
                extract(epoch FROM (SELECT min(available_at) FROM outbox WHERE available_at > now())),
                greatest(
                    extract(epoch FROM (SELECT min(next_run_at) FROM job_schedules WHERE is_enabled)),
                    extract(epoch FROM now()) + 1),
                extract(epoch FROM now()) + 3600) - extract(epoch FROM now())))::bigint AS wait
            """
        ).rows.first
        guard let wait: Int = try row?.readOptional("wait") else { return Self.longestSleep }
        return min(Self.longestSleep, max(.milliseconds(1), .milliseconds(wait + 1)))
    }
}
