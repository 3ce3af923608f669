import EventLoops
import Logging
import RabbitMQ

/// Takes deliveries from the queues and has each worked on, so many at a time.
///
/// Each queue is a lane, with a connection, a prefetch and slots of its own: one whose jobs are slow, or that cannot be
/// consumed, holds up none of the others. What waits for a slot is in the lanes; a slot is a task, which works on one job
/// after the other.
///
/// Jobs outlive the connection that brought them. When it is lost, the next one is opened while what has begun goes
/// on and commits; the verdict then belongs to a connection that is gone, and the delivery comes again as a duplicate.
actor JobConsumer {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    /// The queues, in the order of the lanes.
    private let queues: [String]
    private let topology: Topology
    private let session: WorkerSession
    private let gate: RefusalGate
    private let runner: JobRunner
    private let health: WorkerHealth
    /// Those of each lane.
    private let metrics: [QueueMetrics?]
    private let logger: Logger

    private let slots: Int
    /// The slots that have nothing to do.
    private var idle: [CheckedContinuation<Entry?, Never>] = []
    /// What was put aside and not yet sent back, and who waits for it.
    private var postponed: [Received] = []
    private var postponer: CheckedContinuation<Void, Never>?

    private var lanes: Lanes<Received>
    private var isDraining = false
    private var consumers: [Int: (connection: RabbitMQConnection, tag: String)] = [:]
    /// The lanes whose queue the broker did not let be consumed when it was asked last.
    private var refused: Set<Int> = []

    private static let largeBody = 32 << 10

    /// When the last of the jobs that were put aside comes back.
    private var lastReturn = ContinuousClock.now

    /// How fast jobs come back that were put aside, for each must go through the outbox again if it comes too early.
    private static let paceOfReturns: Duration = .milliseconds(50)
    private static let leastPause: Duration = .seconds(5)

    init(
        queues: [String],
        settings: WorkerSettings,
        topology: Topology,
        session: WorkerSession,
        gate: RefusalGate,
        runner: JobRunner,
        health: WorkerHealth,
        metrics: JobMetrics,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.queues = queues
        self.topology = topology
        self.session = session
        self.gate = gate
        self.runner = runner
        self.health = health
        self.metrics = queues.map { metrics.queue($0) }
        self.loop = loop
        self.logger = logger
        self.lanes = Lanes(slots: settings.concurrency, lanes: queues.count, limits: settings.kindLimits)
        self.slots = settings.concurrency
        for queue in queues {
            health.note(queue, lacking: "not there yet")
            metrics.queue(queue)?.report(slots: self.lanes.shares.most)
        }
    }

    /// A delivery, what it turned out to be, and the connection that must hear its verdict.
    fileprivate struct Received: Sendable {
        let delivery: Delivery
        let content: Result<Envelope, Malformed>
        let lane: Int
        let connection: RabbitMQConnection
    }

    private typealias Entry = Lanes<Received>.Entry

    /// Consumes the queue of a lane over `connection` until that is gone or the task is cancelled.
    func consume(_ lane: Int, over connection: RabbitMQConnection) async throws {
        if !self.refused.contains(lane) { self.health.note(self.queues[lane], lacking: nil) }
        do {
            try await self.session.waitUntilHeld()
            try await self.gate.waitUntilOpen()
            if !self.isDraining { try await self.startConsuming(lane, over: connection) }
        } catch let error as RabbitMQError {
            self.noteEnd(of: lane, because: error)
            throw error
        }
        self.noteEnd(of: lane, because: await connection.waitUntilClosed())
        self.consumers[lane] = nil
        // They come again.
        _ = self.lanes.withdraw { $0.connection === connection }
        self.report(lane)
    }

    /// Works on what comes in until `drain` has been called and the last job has ended.
    func work() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for _ in 0..<self.slots {
                    group.addTask(executorPreference: self.loop) { await self.serve() }
                }
                group.addTask(executorPreference: self.loop) { await self.sendBack() }
            }
        } onCancel: {
            self.loop.execute { self.assumeIsolated { $0.startNothingMore() } }
        }
        for next in self.lanes.withdraw(where: { _ in true }) {
            next.connection.giveBack(next.delivery.tag)
        }
        KillPoint.draining.reach()
    }

    /// Lets nothing start any more, ends the consumers and gives back what has not been started.
    func drain() async {
        self.startNothingMore()
        await withDiscardingTaskGroup { group in
            for (connection, tag) in self.consumers.values {
                group.addTask(executorPreference: self.loop) {
                    await self.stopConsuming(tag, over: connection)
                }
            }
        }
    }

    /// Returns when every verdict is on its way to the broker.
    func settle() async {
        for (connection, _) in self.consumers.values { await connection.flushAcknowledgements() }
    }
}

extension JobConsumer {
    private func startConsuming(_ lane: Int, over connection: RabbitMQConnection) async throws {
        let queue = self.queues[lane]
        // What may not start here is left to other replicas.
        let prefetch = UInt16(clamping: self.lanes.shares.most)
        let tag = try await connection.startConsuming(
            queue,
            prefetch: prefetch,
            largestBody: largestJobBody
        ) { delivery in
            self.assumeIsolated { $0.arrived(delivery, in: lane, over: connection) }
        }
        self.consumers[lane] = (connection, tag)
        self.refused.remove(lane)
        self.health.note(queue, lacking: nil)
        self.logger.info("consuming", metadata: ["queue": "\(queue)"])
        if self.isDraining { await self.stopConsuming(tag, over: connection) }
    }

    private func stopConsuming(_ tag: String, over connection: RabbitMQConnection) async {
        do {
            try await connection.stopConsuming(tag)
        } catch {
            self.logger.debug("a consumer could not be ended", metadata: ["error": "\(error)"])
        }
    }

    /// Notes why a queue is consumed no more: the broker does not let it, or the connection is gone.
    private func noteEnd(of lane: Int, because error: RabbitMQError?) {
        let queue = self.queues[lane]
        guard let error, error.isRefusal else {
            return self.health.note(queue, lacking: "the connection was lost")
        }
        self.health.note(queue, lacking: "\(error)")
        guard self.refused.insert(lane).inserted else { return }
        self.logger.error("a queue cannot be consumed", metadata: ["queue": "\(queue)", "error": "\(error)"])
    }

    private func arrived(_ delivery: Delivery, in lane: Int, over connection: RabbitMQConnection) {
        self.metrics[lane]?.received(again: delivery.redelivered)
        guard delivery.message.body.count > Self.largeBody else {
            return self.look(at: delivery, in: lane, over: connection)
        }
        // A large body takes long to check, and others on the loop must have their turn.
        self.loop.execute { self.assumeIsolated { $0.look(at: delivery, in: lane, over: connection) } }
    }

    private func look(at delivery: Delivery, in lane: Int, over connection: RabbitMQConnection) {
        guard !self.isDraining else { return connection.giveBack(delivery.tag) }
        let content = Result { () throws(Malformed) in try Envelope(delivery, in: self.topology) }
        let next = Received(delivery: delivery, content: content, lane: lane, connection: connection)
        if self.take(next) == .crowded {
            self.postponed.append(next)
            self.wakePostponer()
        }
        self.fillSlots()
    }

    /// Has idle slots work on what may start.
    private func fillSlots() {
        while !self.isDraining, !self.idle.isEmpty, let next = self.lanes.next() {
            self.report(next.lane)
            self.idle.removeLast().resume(returning: next)
        }
    }

    private func startNothingMore() {
        self.isDraining = true
        for slot in self.idle { slot.resume(returning: nil) }
        self.idle = []
        self.wakePostponer()
    }

    /// Works on one delivery after the other until nothing may start any more.
    private func serve() async {
        while let next = await self.next() {
            await self.work(on: next)
        }
    }

    private func next() async -> Entry? {
        guard !self.isDraining else { return nil }
        if let next = self.lanes.next() {
            self.report(next.lane)
            return next
        }
        return await withCheckedContinuation { self.idle.append($0) }
    }

    /// Gives a delivery its place among the others.
    private func take(_ next: Received) -> Lanes<Received>.Arrival {
        let arrival = self.lanes.arrive(Entry(item: next, lane: next.lane, copy: next.copy))
        if arrival == .superfluous, case .success(let envelope) = next.content {
            self.runner.drop(envelope)
            next.connection.acknowledge(next.delivery.tag)
        }
        self.report(next.lane)
        return arrival
    }

    private func work(on next: Entry) async {
        await self.settle(next.item) { await self.runner.verdict(on: $0.content, of: $0.delivery) }
        self.lanes.end(next)
        self.report(next.lane)
        self.fillSlots()
    }

    /// Makes room for others of a lane: the jobs come back later, by way of the outbox.
    private func sendBack() async {
        while true {
            while !self.postponed.isEmpty { await self.postpone(self.postponed.removeFirst()) }
            guard !self.isDraining else { return }
            await withCheckedContinuation { self.postponer = $0 }
        }
    }

    private func wakePostponer() {
        self.postponer?.resume()
        self.postponer = nil
    }

    private func postpone(_ next: Received) async {
        guard case .success(let envelope) = next.content else { return }
        let now = ContinuousClock.now
        self.lastReturn = max(self.lastReturn + Self.paceOfReturns, now + Self.leastPause)
        let pause = now.duration(to: self.lastReturn)
        await self.settle(next) { await self.runner.postpone(envelope, of: $0.delivery, for: pause) }
    }

    private func settle(_ next: Received, _ verdict: (Received) async -> JobRunner.Verdict) async {
        // A delivery of a lost connection comes again.
        guard await !next.connection.isClosed else { return }
        let tag = next.delivery.tag
        switch await verdict(next) {
        case .acknowledge: next.connection.acknowledge(tag)
        case .giveBack: next.connection.giveBack(tag)
        case .reject: next.connection.reject(tag)
        }
    }

    private func report(_ lane: Int) {
        self.metrics[lane]?.report(taken: self.lanes.shares.taken[lane], waiting: self.lanes.waiting[lane])
    }
}

extension JobConsumer.Received {
    /// Nil for what never becomes a job.
    fileprivate var copy: Lanes<Self>.Copy? {
        guard case .success(let envelope) = self.content else { return nil }
        return Lanes<Self>.Copy(
            job: envelope.id,
            kind: envelope.kind,
            turn: envelope.turn,
            replayCount: envelope.replayCount,
            body: envelope.message.body,
            connection: self.delivery.tag.epoch
        )
    }
}

extension RabbitMQError {
    /// Whether the broker lets the queue not be consumed, though it can be reached.
    fileprivate var isRefusal: Bool {
        switch self.code {
        case .notFound, .accessRefused, .preconditionFailed, .resourceLocked, .consumerCancelled: true
        case .deadlineExceeded: self.operation == "basic.consume"
        default: false
        }
    }
}
