import Dispatch
package import EventLoops

/// One connection to PostgreSQL, used on its loop only.
///
/// What is sent during one turn of the loop leaves together at its end, and answers are read as they arrive: no
/// call waits inside libpq. A connection whose call ran past its deadline is closed, since nobody can know what the
/// server makes of it; the pool opens another.
package actor PostgresConnection {
    package nonisolated let loop: EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }

    private let handle: PostgresHandle
    private var watch: Watch?
    private var calls: [Call] = []
    private var preparedNames: [String: String] = [:]
    private var lastStatementNumber = 0
    private var flushIsDue = false
    private var closedBecause: PostgresError?

    private init(_ handle: consuming PostgresHandle, on loop: EventLoop) {
        self.handle = handle
        self.loop = loop
    }

    /// Connects and logs in, on a thread where that may block.
    package static func connect(
        _ configuration: PostgresConfiguration,
        on loop: EventLoop,
    ) async throws(PostgresError) -> PostgresConnection {
        let outcome: Result<PostgresConnection, PostgresError> = await withCheckedContinuation {
            continuation in
            DispatchQueue.global().async {
                do throws(PostgresError) {
                    let handle = try PostgresHandle(configuration)
                    continuation.resume(returning: .success(PostgresConnection(handle, on: loop)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        let connection = try outcome.get()
        await connection.startReading()
        return connection
    }

    /// Whether nothing more can be sent.
    package var isClosed: Bool { self.closedBecause != nil }

    /// Whether the connection could be handed to somebody else: open, quiet and outside any transaction.
    package var isIdle: Bool { !self.isClosed && self.calls.isEmpty && self.handle.isIdle }

    /// Runs one statement.
    package func run(_ statement: SQL, within limit: Duration = .seconds(30)) async throws(PostgresError)
        -> PostgresResult
    {
        guard let result = try await self.pipeline([statement], within: limit).first else {
            throw PostgresError(.connectionLost, during: "run", "the server answered out of turn")
        }
        return result
    }

    /// Sends all statements at once and waits for all answers, in order.
    ///
    /// Outside `BEGIN` and `COMMIT` they are one transaction: all of them take effect or none does. The first
    /// failure is thrown.
    package func pipeline(
        _ statements: [SQL],
        within limit: Duration = .seconds(30),
    ) async throws(PostgresError) -> [PostgresResult] {
        try self.check(statements)
        let steps = try self.send(statements)
        return try await withCheckedContinuation { continuation in
            let call = Call(Pipeline(steps), continuation)
            call.timer = self.loop.after(limit) { [weak self] in
                self?.assumeIsolated { $0.miss(deadline: limit, of: steps) }
            }
            self.calls.append(call)
        }.get()
    }

    /// Ends the connection; calls that wait get `.closed`.
    package func close() {
        self.fail(PostgresError(.closed, during: "close", "the connection was closed by this side"))
    }
}

extension PostgresConnection {
    private func startReading() {
        self.watch = self.loop.watch(self.handle.socket, for: .reading) { [weak self] in
            self?.assumeIsolated { $0.read() }
        }
    }

    private func check(_ statements: [SQL]) throws(PostgresError) {
        if let reason = self.closedBecause { throw reason }
        for statement in statements {
            for case .text(let text) in statement.values where text.utf8.contains(0) {
                throw PostgresError(
                    .invalidValue,
                    during: Pipeline.Step.execute(text: statement.text).operation,
                    "a bound text holds a NUL character, which PostgreSQL cannot store",
                )
            }
        }
    }

    /// Hands the statements to libpq, each preceded by its preparation where this connection has not seen it.
    private func send(_ statements: [SQL]) throws(PostgresError) -> [Pipeline.Step] {
        var steps: [Pipeline.Step] = []
        var isSent = true
        var names: [String: String] = [:]
        for statement in statements {
            if self.preparedNames[statement.text] == nil && names[statement.text] == nil {
                self.lastStatementNumber += 1
                let name = "s\(self.lastStatementNumber)"
                names[statement.text] = name
                isSent = isSent && self.handle.sendPrepare(statement.text, as: name)
                steps.append(.prepare(name: name, text: statement.text))
            }
            let name = self.preparedNames[statement.text] ?? names[statement.text] ?? ""
            isSent = isSent && self.handle.sendExecute(name, with: statement.values)
            steps.append(.execute(text: statement.text))
        }
        guard isSent && self.handle.sendSync() else {
            let error = PostgresError(.connectionLost, during: "send", self.handle.errorMessage)
            self.fail(error)
            throw error
        }
        self.flushAtTurnEnd()
        return steps
    }

    private func flushAtTurnEnd() {
        guard !self.flushIsDue else { return }
        self.flushIsDue = true
        self.loop.atTurnEnd { [weak self] in self?.assumeIsolated { $0.flush() } }
    }

    private func flush() {
        self.flushIsDue = false
        guard !self.isClosed else { return }
        do throws(PostgresError) {
            self.watch?.update(for: try self.handle.flush() ? .reading : .readingAndWriting)
        } catch {
            self.fail(error)
        }
    }

    /// Reads what has arrived, and goes on writing what had no room before.
    private func read() {
        do throws(PostgresError) {
            try self.handle.readInput()
        } catch {
            return self.fail(error)
        }
        self.flush()
        while !self.isClosed, let call = self.calls.first, let answer = self.handle.nextAnswer() {
            switch call.pipeline.receive(answer) {
            case .proceed: continue
            case .remember(let name, let text): self.remember(name, for: text)
            case .finish:
                self.calls.removeFirst()
                call.finish(with: call.pipeline.outcome)
            }
        }
    }

    /// Statements come from literals of the program, so that there are few; the bound is for the case of a mistake.
    private func remember(_ name: String, for text: String) {
        if self.preparedNames.count < 512 { self.preparedNames[text] = name }
    }

    private func miss(deadline limit: Duration, of steps: [Pipeline.Step]) {
        let operation = steps.last?.operation ?? "pipeline"
        self.fail(PostgresError(.deadlineExceeded, during: operation, "no answer within \(limit)"))
    }

    private func fail(_ error: PostgresError) {
        guard !self.isClosed else { return }
        self.closedBecause = error
        self.watch?.cancel()
        self.watch = nil
        let calls = self.calls
        self.calls = []
        for call in calls { call.finish(with: .failure(error)) }
    }
}

/// One caller that waits for its pipeline; used on the loop only.
private final class Call {
    var pipeline: Pipeline
    var timer: LoopTimer?
    private let continuation: CheckedContinuation<Result<[PostgresResult], PostgresError>, Never>

    init(
        _ pipeline: Pipeline,
        _ continuation: CheckedContinuation<Result<[PostgresResult], PostgresError>, Never>
    ) {
        self.pipeline = pipeline
        self.continuation = continuation
    }

    func finish(with outcome: Result<[PostgresResult], PostgresError>) {
        self.timer?.cancel()
        self.continuation.resume(returning: outcome)
    }
}
