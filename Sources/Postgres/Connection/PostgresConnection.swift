import EventLoops
import Logging
import Traces
import Tracing

/// One session with the server, on one event loop.
///
/// Calls from several tasks are pipelined. A call that passes its deadline, or whose task is cancelled, closes the
/// connection: nothing else is certain to leave no answer behind for somebody else. A connection that is not
/// closed by its owner lives until the server or the network ends it.
package actor PostgresConnection {
    typealias Instant = ContinuousClock.Instant

    nonisolated let loop: EventLoop
    nonisolated let configuration: PostgresConfiguration
    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
    /// What other sessions say on the channels listened to; ends with the connection, keeps the newest 1,024.
    package nonisolated let notifications: AsyncStream<PostgresNotification>
    /// Whether the connection has ended.
    package private(set) var isClosed = false

    var transactionState = TransactionState()
    private var handle: ConnectionHandle
    private var statements: StatementCache
    private var inFlight: [Request] = []
    private var lastRequest = 0
    private var watch: Watch?
    private var isWaitingToWrite = false
    private let deadlines: DeadlineTimer
    private let notificationFeed: AsyncStream<PostgresNotification>.Continuation
    private var onClose: [Int: () -> Void] = [:]
    private var lastObserver = 0

    init(_ handle: consuming ConnectionHandle, _ configuration: PostgresConfiguration, on loop: EventLoop) {
        self.loop = loop
        self.configuration = configuration
        self.handle = handle
        self.statements = StatementCache(
            capacity: configuration.usesPooler ? 0 : configuration.preparedStatements
        )
        self.deadlines = DeadlineTimer(loop: loop)
        (self.notifications, self.notificationFeed) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingNewest(1_024)
        )
    }

    /// Runs one statement; without a limit, the configuration's deadline holds.
    package func run(_ statement: SQL, within limit: Duration? = nil) async throws(PostgresError)
        -> PostgresResult
    {
        try await self.execute([statement], operation: "run", deadline: self.deadline(within: limit))
            .only(operation: "run")
    }

    /// Whether the server takes no writes over this connection, as a standby does.
    package func isReadOnly(within limit: Duration? = nil) async throws(PostgresError) -> Bool {
        try await self.run(
            "SELECT current_setting('transaction_read_only')::boolean AS is_read_only",
            within: limit
        ).rows.first?.read("is_read_only") ?? true
    }

    /// Runs statements in one round trip and one implicit transaction: all of them happen, or none.
    ///
    /// Results come in the order of the statements; the first failure is thrown.
    @discardableResult
    package func pipeline(
        _ statements: [SQL],
        within limit: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await self.execute(statements, operation: "pipeline", deadline: self.deadline(within: limit))
    }

    /// Starts to receive what is said on a channel; see `notifications`.
    package func listen(to channel: String) async throws(PostgresError) {
        _ = try await self.run("LISTEN \(identifier: channel)")
    }

    /// Ends the session; calls under way fail.
    package func close() {
        self.close(because: .closed, "the connection was closed by its owner")
    }

    /// Returns when the connection has ended, or the caller is cancelled.
    package func whenClosed() async {
        self.lastObserver += 1
        let observer = self.lastObserver
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !self.isClosed, !Task.isCancelled else { return continuation.resume() }
                self.onClose[observer] = { continuation.resume() }
            }
        } onCancel: {
            self.loop.execute { self.assumeIsolated { $0.onClose.removeValue(forKey: observer)?() } }
        }
    }
}

extension PostgresConnection {
    /// Begins to watch the socket.
    func start() {
        guard !self.isClosed else { return }
        self.watch = self.loop.watch(self.handle.socket, for: .reading) {
            self.assumeIsolated { $0.socketIsReady() }
        }
    }

    /// Calls `action` on the loop when the connection ends.
    func whenClosed(_ action: @escaping @Sendable () -> Void) {
        self.lastObserver += 1
        self.onClose[self.lastObserver] = action
    }

    /// Whether somebody else can have the connection: nothing is under way and no transaction is open.
    var isReusable: Bool {
        !self.isClosed && self.inFlight.isEmpty && self.transactionState.isIdle
            && !self.handle.isInTransaction
    }

    /// Whether the server has a transaction open, or something is under way that may open one.
    var isInTransaction: Bool { self.handle.isInTransaction }

    nonisolated func deadline(within limit: Duration?) -> Instant {
        ContinuousClock.now + (limit ?? self.configuration.callDeadline)
    }

    /// Runs statements that belong to no explicit transaction.
    func execute(
        _ statements: [SQL],
        operation: String,
        deadline: Instant
    ) async throws(PostgresError) -> [PostgresResult] {
        guard self.transactionState.isIdle else {
            throw TransactionState.misuse("a transaction is open on this connection; use that")
        }
        return try await self.perform(StatementGroup(statements), operation: operation, deadline: deadline)
    }

    /// Sends a group of statements and waits for its answer, in a span of its own where a trace is followed.
    func perform(
        _ group: StatementGroup,
        operation: String,
        deadline: Instant
    ) async throws(PostgresError) -> [PostgresResult] {
        guard let span = self.configuration.tracer?.startCall(group.summary) else {
            return try await self.exchange(group, operation: operation, deadline: deadline)
        }
        group.describe(on: span)
        do throws(PostgresError) {
            let results = try await self.exchange(group, operation: operation, deadline: deadline)
            span.end()
            return results
        } catch {
            span.fail(error.sqlState ?? error.code.rawValue, error.description)
            throw error
        }
    }

    private func exchange(
        _ group: StatementGroup,
        operation: String,
        deadline: Instant
    ) async throws(PostgresError) -> [PostgresResult] {
        try self.check(group, operation: operation)
        let request = self.newRequest(operation, deadline: deadline)
        request.mustCommit = group.mustCommit
        request.isReadOnly = self.transactionState.isReadOnly
        try self.send(group, as: request)
        return try await self.answer(to: request, isCancellable: group.isCancellable)
    }

    /// Runs text of several statements, as one implicit transaction unless it says otherwise; nothing else may be under way.
    func runScript(_ text: String, within limit: Duration? = nil) async throws(PostgresError) {
        guard self.inFlight.isEmpty, !text.hasNUL else {
            throw PostgresError(
                .invalidValue,
                operation: "script",
                message: "a script has to be alone, and free of NUL"
            )
        }
        let request = self.newRequest("script", deadline: self.deadline(within: limit), isScript: true)
        guard self.handle.executeScript(text) else { throw self.lose(operation: "script") }
        self.track(request)
        _ = try await self.answer(to: request, isCancellable: true)
    }
}

extension PostgresConnection {
    private func newRequest(_ operation: String, deadline: Instant, isScript: Bool = false) -> Request {
        self.lastRequest += 1
        return Request(id: self.lastRequest, operation: operation, deadline: deadline, isScript: isScript)
    }

    /// Refuses what can be known to fail, before anything is sent.
    private func check(_ group: StatementGroup, operation: String) throws(PostgresError) {
        guard !self.isClosed else {
            throw PostgresError(.closed, operation: operation, message: "the connection has ended")
        }
        guard !group.isCancellable || !Task.isCancelled else {
            throw PostgresError(
                .cancelled,
                operation: operation,
                message: "the task was cancelled before the call"
            )
        }
        guard self.inFlight.last?.isScript != true else {
            throw PostgresError(.invalidValue, operation: operation, message: "a script is under way")
        }
        for statement in group.statements { try statement.check(operation: operation) }
    }

    private func send(_ group: StatementGroup, as request: Request) throws(PostgresError) {
        for statement in group.before where !self.queue(statement, in: request, place: nil) {
            throw self.lose(operation: request.operation)
        }
        for (place, statement) in group.statements.enumerated()
        where !self.queue(statement, in: request, place: place) {
            throw self.lose(operation: request.operation)
        }
        for statement in group.after where !self.queue(statement, in: request, place: nil) {
            throw self.lose(operation: request.operation)
        }
        guard self.handle.sync() else { throw self.lose(operation: request.operation) }
        self.track(request)
    }

    private func queue(_ statement: SQL, in request: Request, place: Int?) -> Bool {
        let plan = self.statements.plan(for: statement.outline, in: request.id)
        if case .prepare(let name) = plan {
            request.append(.prepare(statement, place: place))
            guard self.handle.prepare(statement.text, as: name) else { return false }
        }
        request.append(.execute(statement, place: place))
        return switch plan {
        case .prepared(let name), .prepare(let name):
            self.handle.execute(prepared: name, statement.parameters)
        case .direct: self.handle.execute(statement.text, statement.parameters)
        }
    }

    private func track(_ request: Request) {
        self.inFlight.append(request)
        self.deadlines.cover(request.deadline) { [weak self] in
            self?.assumeIsolated { $0.checkDeadlines() } ?? nil
        }
        self.flush()
    }

    private func answer(to request: Request, isCancellable: Bool) async throws(PostgresError)
        -> [PostgresResult]
    {
        guard isCancellable else {
            return try await withCheckedContinuation { request.wait($0) }.get()
        }
        let id = request.id
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { self.wait(for: request, $0) }
        } onCancel: {
            self.loop.execute { self.assumeIsolated { $0.abandon(id) } }
        }.get()
    }

    /// Naming `self` in the closures around it is what keeps them on the loop: a closure that does not capture its
    /// actor is not isolated to it (SE-0313), and would meet the answer on another thread.
    private func wait(for request: Request, _ continuation: CheckedContinuation<Request.Outcome, Never>) {
        request.wait(continuation)
    }
}

extension PostgresConnection {
    private func socketIsReady() {
        let isAlive = self.handle.consumeInput()
        self.drain()
        while let notification = self.handle.nextNotification() { self.notificationFeed.yield(notification) }
        if !isAlive || self.handle.isBroken { _ = self.lose(operation: "receive") }
        if self.isWaitingToWrite { self.flush() }
    }

    private func drain() {
        while let request = self.inFlight.first, !self.isClosed, !self.handle.isBusy {
            guard let result = self.handle.nextResult() else {
                if request.isScript { return self.endScript(request) }
                guard request.endStep() else { return }
                continue
            }
            if result.isSync {
                self.finish(request)
            } else if let (outline, isPrepared) = request.take(result) {
                self.statements.settle(outline, isPrepared: isPrepared)
            }
        }
    }

    private func endScript(_ request: Request) {
        guard self.handle.endScript() else {
            _ = self.lose(operation: request.operation)
            return
        }
        self.finish(request)
    }

    private func finish(_ request: Request) {
        self.inFlight.removeFirst()
        request.finish()
        guard let error = request.error, error.endsConnection else { return }
        self.close(because: .connectionLost, "given up after: \(error.message)")
    }

    private func flush() {
        guard !self.isClosed else { return }
        guard let isAllOut = self.handle.flush() else {
            // What the server said last may still be there to be read; the socket reports its end by itself.
            return
        }
        guard self.isWaitingToWrite == isAllOut else { return }
        self.isWaitingToWrite = !isAllOut
        self.watch?.update(for: isAllOut ? .reading : .readingAndWriting)
    }

    /// Ends what has taken too long, with it the connection, and returns the next deadline.
    private func checkDeadlines() -> Instant? {
        let now = ContinuousClock.now
        if let late = self.inFlight.first(where: { $0.deadline <= now }) {
            late.fail(
                PostgresError(
                    .deadlineExceeded,
                    operation: late.operation,
                    message: "no answer within the time given"
                )
            )
            self.close(because: .connectionLost, "given up after a call without an answer")
        }
        return self.inFlight.lazy.map(\.deadline).min()
    }

    private func abandon(_ id: Int) {
        guard let request = self.inFlight.first(where: { $0.id == id }) else { return }
        request.fail(
            PostgresError(
                .cancelled,
                operation: request.operation,
                message: "the task was cancelled during the call"
            )
        )
        self.close(because: .connectionLost, "given up after a cancelled call")
    }

    /// Closes with what libpq says about the loss.
    private func lose(operation: String) -> PostgresError {
        let error = self.handle.error(.connectionLost, operation: operation)
        self.close(because: .connectionLost, error.message)
        return error
    }

    private func close(because code: PostgresError.Code, _ message: String) {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.watch?.cancel()
        self.watch = nil
        self.deadlines.cancel()
        self.handle.finish()
        self.notificationFeed.finish()
        for request in self.inFlight {
            request.fail(PostgresError(code, operation: request.operation, message: message))
            request.finish()
        }
        self.inFlight = []
        let observers = self.onClose
        self.onClose = [:]
        for observer in observers.values { observer() }
    }
}
