import CRabbitMQ
package import EventLoops
package import Logging
import Synchronization

/// One connection with one channel, served by one event loop.
///
/// The loop reads what has arrived and never waits for the broker: requests are sent and their answers awaited.
/// What an iteration of the loop wants to send goes out at its end, and is held back while the socket is full.
/// The end of the channel is the end of the connection, with one exception that `declareQueue` describes.
package actor RabbitMQConnection {
    /// The loop that serves the connection.
    package nonisolated let loop: EventLoop
    /// The same loop.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
    /// The number of the connection, unique in this process; delivery tags carry it.
    package nonisolated let epoch: UInt64

    /// What the broker says about itself (`product`, `version`, `capabilities`).
    package nonisolated let brokerProperties: FieldTable

    let configuration: RabbitMQConfiguration
    let logger: Logger

    // The connection and its socket; nil once closed.
    var wire: Wire?
    var watch: Watch?
    var heartbeat: LoopTimer?
    var isClosing = false
    private var ending: RabbitMQError?
    private var closeWaiters: [UInt64: CheckedContinuation<RabbitMQError?, Never>] = [:]
    private var lastWaiter: UInt64 = 0

    // Going out:
    var isFlushScheduled = false
    var isAwaitingWritability = false
    var requests: [(Wire) -> CInt] = []
    var publishes = PublishQueue()
    var drainWaiters: [CheckedContinuation<Void, Never>] = []

    // Coming in:
    var incoming: IncomingContent?
    var calls: [PendingCall] = []
    var consumers: [Consumer] = []
    var lastConsumer = 0

    // Deliveries and publishes of the channel:
    var acknowledgements = Acknowledgements()
    /// What is added to the broker's delivery number, so that numbers do not recur when the channel is reopened.
    var deliveryOffset: UInt64 = 0
    /// How many acknowledgements came too late or twice, and were dropped.
    package internal(set) var droppedAcknowledgements = 0
    var isConfirming = false
    var unconfirmed = ConfirmWindow<UnconfirmedPublish>()
    var returnable: [Int64: [UInt64]] = [:]
    var batches: [UInt64: PublishBatch] = [:]
    var lastBatch: UInt64 = 0

    /// Whether the broker has asked publishers to wait (an alarm over its memory or disk).
    package internal(set) var isBlocked = false
    var blockingObserver: (@Sendable (Bool) -> Void)?

    private init(
        wire: sending Wire,
        configuration: RabbitMQConfiguration,
        loop: EventLoop,
        logger: Logger
    ) {
        self.brokerProperties = wire.brokerProperties
        self.wire = wire
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        self.epoch = lastEpoch.add(1, ordering: .relaxed).newValue
    }

    /// Opens a connection, which `loop` serves from then on.
    ///
    /// Throws `connectionFailed`, `authenticationFailed`, `accessRefused`, `tlsFailed`, `deadlineExceeded` or
    /// `cancelled`.
    package static func connect(
        _ configuration: RabbitMQConfiguration,
        on loop: EventLoop,
        logger: Logger
    ) async throws(RabbitMQError) -> RabbitMQConnection {
        let wire = try await ConnectAttempt().open(configuration)
        let connection = RabbitMQConnection(
            wire: wire,
            configuration: configuration,
            loop: loop,
            logger: logger
        )
        await connection.start()
        return connection
    }

    /// Returns once the connection is gone: nil after `close`, else the reason; nil too when the task is cancelled.
    package func waitUntilClosed() async -> RabbitMQError? {
        guard self.wire != nil, !Task.isCancelled else { return self.ending }
        self.lastWaiter += 1
        let waiter = self.lastWaiter
        return await withTaskCancellationHandler {
            await withCheckedContinuation { self.closeWaiters[waiter] = $0 }
        } onCancel: {
            self.loop.execute { self.assumeIsolated { $0.stopWaiting(waiter) } }
        }
    }

    /// Whether the connection is gone.
    package var isClosed: Bool { self.wire == nil }

    /// Calls `action` on the loop whenever the broker blocks (true) and unblocks (false) publishers.
    package func observeBlocking(_ action: @escaping @Sendable (Bool) -> Void) {
        self.blockingObserver = action
    }

    private func start() {
        guard let wire = self.wire else { return }
        self.watch = self.loop.watch(wire.descriptor, for: .reading) { [weak self] in
            self?.assumeIsolated { $0.serveSocket() }
        }
        self.scheduleHeartbeat(every: wire.heartbeat)
        self.serveSocket()
    }

    private func stopWaiting(_ waiter: UInt64) {
        self.closeWaiters.removeValue(forKey: waiter)?.resume(returning: nil)
    }

    /// Gives the library the chance to send its heartbeat and to notice a silent peer, four times an interval.
    private func scheduleHeartbeat(every seconds: Int) {
        guard seconds > 0 else { return }
        self.heartbeat = self.loop.after(.milliseconds(seconds * 250)) { [weak self] in
            self?.assumeIsolated { connection in
                connection.readFrames()
                if connection.wire != nil { connection.scheduleHeartbeat(every: seconds) }
            }
        }
    }

    private func serveSocket() {
        self.readFrames()
        if self.isAwaitingWritability, let wire = self.wire, wire.isWritable {
            self.isAwaitingWritability = false
            self.watch?.update(for: .reading)
            self.flush()
        }
    }

    /// Ends everything, once: the socket is closed, and whoever waits for something hears why.
    func end(with error: RabbitMQError?, publishes publishError: RabbitMQError? = nil) {
        guard self.wire != nil else { return }
        self.watch?.cancel()
        self.heartbeat?.cancel()
        self.wire = nil
        self.ending = error
        self.consumers = []
        self.publishes = PublishQueue()
        self.returnable = [:]
        let reason = error ?? self.closedError(during: "close")
        self.failCalls(with: reason)
        for batch in self.batches.values { batch.finish(because: publishError ?? reason) }
        self.batches = [:]
        for waiter in self.closeWaiters.values { waiter.resume(returning: error) }
        self.closeWaiters = [:]
        for waiter in self.drainWaiters { waiter.resume() }
        self.drainWaiters = []
    }

    func failCalls(with error: RabbitMQError) {
        let calls = self.calls
        self.calls = []
        for call in calls { call.finish(.failure(error)) }
    }

    func closedError(during operation: String) -> RabbitMQError {
        RabbitMQError(.closed, during: operation, "the connection is closed", underlying: self.ending)
    }
}

/// Counts the connections of the process.
private let lastEpoch = Atomic<UInt64>(0)
