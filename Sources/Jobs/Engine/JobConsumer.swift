import EventLoops
import Logging
import RabbitMQ

/// Takes deliveries from the queues and has each worked on, so many at a time.
///
/// Jobs outlive the connection that brought them. When it is lost, the next one is opened while what has begun goes
/// on and commits; the verdict then belongs to a connection that is gone, and the delivery comes again as a duplicate.
actor JobConsumer {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let queues: [String]
    private let concurrency: Int
    private let session: WorkerSession
    private let runner: JobRunner
    private let metrics: JobMetrics
    private let logger: Logger

    /// Bounded by the prefetch of the queues.
    private let received: AsyncStream<Received>
    private let intake: AsyncStream<Received>.Continuation

    private var running = 0
    private var dispatcherAwaitingSlot: CheckedContinuation<Void, Never>?
    private var isDraining = false
    private var current: (connection: RabbitMQConnection, consumers: [String])?

    init(
        queues: [String],
        concurrency: Int,
        session: WorkerSession,
        runner: JobRunner,
        metrics: JobMetrics,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.queues = queues
        self.concurrency = concurrency
        self.session = session
        self.runner = runner
        self.metrics = metrics
        self.loop = loop
        self.logger = logger
        (self.received, self.intake) = AsyncStream.makeStream()
    }

    /// A delivery and the connection that must hear its verdict.
    private struct Received: Sendable {
        let delivery: Delivery
        let connection: RabbitMQConnection
    }

    /// Consumes over `connection` until it is gone or the task is cancelled.
    func consume(over connection: RabbitMQConnection) async throws {
        try await self.session.waitUntilHeld()
        self.current = (connection, [])
        for queue in self.queues where !self.isDraining {
            let tag = try await connection.startConsuming(queue, prefetch: UInt16(clamping: self.concurrency))
            { [intake, metrics] in
                metrics.received($0)
                intake.yield(Received(delivery: $0, connection: connection))
            }
            self.current?.consumers.append(tag)
        }
        self.logger.info("consuming", metadata: ["queues": "\(self.queues.joined(separator: ","))"])
        _ = await connection.waitUntilClosed()
        self.current = nil
    }

    /// Works on what comes in until `drain` has been called and the last job has ended.
    func work() async {
        var unstarted: [Received] = []
        await withDiscardingTaskGroup { group in
            for await next in self.received {
                await self.takeSlot()
                if self.isDraining {
                    unstarted.append(next)
                } else {
                    group.addTask(executorPreference: self.loop) { await self.work(on: next) }
                }
            }
            for next in unstarted { next.connection.giveBack(next.delivery.tag) }
            KillPoint.draining.reach()
        }
    }

    /// Lets nothing start any more, ends the consumers and gives back what has not been started.
    func drain() async {
        self.isDraining = true
        self.wakeDispatcher()
        for tag in self.current?.consumers ?? [] {
            do {
                try await self.current?.connection.stopConsuming(tag)
            } catch {
                self.logger.debug("a consumer could not be ended", metadata: ["error": "\(error)"])
            }
        }
        self.intake.finish()
    }

    /// Returns when every verdict is on its way to the broker.
    func settle() async { await self.current?.connection.flushAcknowledgements() }
}

extension JobConsumer {
    private func work(on next: Received) async {
        defer { self.freeSlot() }
        // A delivery of a lost connection comes again.
        guard await !next.connection.isClosed else { return }
        let tag = next.delivery.tag
        switch await self.runner.verdict(on: next.delivery) {
        case .acknowledge: next.connection.acknowledge(tag)
        case .giveBack: next.connection.giveBack(tag)
        case .reject: next.connection.reject(tag)
        }
    }

    private func takeSlot() async {
        while self.running >= self.concurrency && !self.isDraining {
            await withCheckedContinuation { self.dispatcherAwaitingSlot = $0 }
        }
        if !self.isDraining { self.running += 1 }
    }

    private func freeSlot() {
        self.running -= 1
        self.wakeDispatcher()
    }

    private func wakeDispatcher() {
        self.dispatcherAwaitingSlot?.resume()
        self.dispatcherAwaitingSlot = nil
    }
}
