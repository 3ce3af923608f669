import Dispatch
package import EventLoops
package import Logging
import Synchronization

extension PostgresConnection {
    /// Connects, within the deadline of the configuration.
    package static func connect(
        _ configuration: PostgresConfiguration,
        on loop: EventLoop,
        logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        let attempt = ConnectionAttempt()
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                attempt.wait(continuation)
                self.open(configuration, on: loop, logger: logger) { attempt.settle($0) }
                loop.execute {
                    loop.after(configuration.connectDeadline) {
                        attempt.fail(.deadlineExceeded, "took too long")
                    }
                }
            }
        } onCancel: {
            attempt.fail(.cancelled, "the task was cancelled")
        }.get()
    }

    /// Connects on a thread that may block, since name look-up, TLS and password hashing do, and then moves to the
    /// loop, where `completion` is called.
    static func open(
        _ configuration: PostgresConfiguration,
        on loop: EventLoop,
        logger: Logger,
        completion: @escaping @Sendable (Result<PostgresConnection, PostgresError>) -> Void
    ) {
        DispatchQueue.global().async {
            let outcome = Result { () throws(PostgresError) in
                let parameters = try ConnectionParameters(configuration)
                let handle = try ConnectionHandle(connecting: parameters, logger: logger)
                return PostgresConnection(handle, configuration, on: loop)
            }
            loop.execute { completion(outcome) }
        }
    }
}

/// Settles who is first: the connection, the deadline or a cancellation.
///
/// A connection that comes too late is let go of, which ends it.
private final class ConnectionAttempt: Sendable {
    typealias Outcome = Result<PostgresConnection, PostgresError>

    private enum State {
        case new
        case waiting(CheckedContinuation<Outcome, Never>)
        case settledEarly(Outcome)
        case over
    }

    private let state = Mutex(State.new)

    func wait(_ continuation: CheckedContinuation<Outcome, Never>) {
        let early: Outcome? = self.state.withLock { state in
            if case .settledEarly(let outcome) = state {
                state = .over
                return outcome
            }
            state = .waiting(continuation)
            return nil
        }
        if let early { continuation.resume(returning: early) }
    }

    /// Call on the loop for a success, so that the connection is watched from the start.
    func settle(_ outcome: Outcome) {
        let continuation: CheckedContinuation<Outcome, Never>? = self.state.withLock { state in
            switch state {
            case .new:
                state = .settledEarly(outcome)
                return nil
            case .waiting(let continuation):
                state = .over
                return continuation
            case .settledEarly, .over: return nil
            }
        }
        guard let continuation else { return }
        if case .success(let connection) = outcome { connection.assumeIsolated { $0.start() } }
        continuation.resume(returning: outcome)
    }

    func fail(_ code: PostgresError.Code, _ message: String) {
        self.settle(.failure(PostgresError(code, operation: "connect", message: message)))
    }
}
