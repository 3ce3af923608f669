import Dispatch
import Synchronization

/// One attempt to open a connection, on a thread that may wait; whoever waits for it waits no longer than agreed.
final class ConnectAttempt: Sendable {
    typealias Outcome = Result<Wire, RabbitMQError>

    private struct State: Sendable {
        /// Put in by whoever opened the connection and taken out by whoever waits, so that one alone holds it.
        nonisolated(unsafe) var outcome: Outcome?
        var isOver = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Opens a connection; one that comes too late is closed at once.
    func open(_ configuration: RabbitMQConfiguration) async throws(RabbitMQError) -> sending Wire {
        self.start(configuration)
        await withTaskCancellationHandler {
            await withCheckedContinuation { self.wait($0) }
        } onCancel: {
            self.finish(.failure(RabbitMQError(.cancelled, during: "connect", "the task was cancelled")))
        }
        nonisolated(unsafe) let outcome = self.state.withLock { $0.outcome.take() }
        guard let outcome else {
            throw RabbitMQError(.connectionFailed, during: "connect", "no outcome")
        }
        return try outcome.get()
    }

    private func start(_ configuration: RabbitMQConfiguration) {
        let timeout = configuration.connectTimeout.components.seconds + 1
        DispatchQueue.global().async { self.finish(Outcome.opening(configuration)) }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Int(timeout))) {
            self.finish(.failure(RabbitMQError(.deadlineExceeded, during: "connect", "no answer in time")))
        }
    }

    private func wait(_ continuation: CheckedContinuation<Void, Never>) {
        let isOver = self.state.withLock { state in
            if !state.isOver { state.waiting = continuation }
            return state.isOver
        }
        if isOver { continuation.resume() }
    }

    /// The first outcome counts.
    private func finish(_ outcome: sending Outcome) {
        nonisolated(unsafe) let outcome = outcome
        let waiting = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isOver else { return nil }
            state.isOver = true
            state.outcome = outcome
            return state.waiting.take()
        }
        waiting?.resume()
    }
}

extension ConnectAttempt.Outcome {
    fileprivate static func opening(_ configuration: RabbitMQConfiguration) -> sending Self {
        do throws(RabbitMQError) {
            return .success(try Wire.open(configuration))
        } catch {
            let url = configuration.url
            return .failure(
                RabbitMQError(
                    error.code,
                    during: error.operation,
                    replyCode: error.replyCode,
                    "\(url.host):\(url.port): \(error.message)",
                    underlying: error.underlying
                )
            )
        }
    }
}
