/// A caller of a pool without a connection yet; it may be served before it has come to wait.
///
/// Used on the pool's loop only.
final class PoolWaiter {
    typealias Outcome = Result<PostgresConnection, PostgresError>

    let since: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant
    private var continuation: CheckedContinuation<Outcome, Never>?
    private var outcome: Outcome?

    init(since: ContinuousClock.Instant, deadline: ContinuousClock.Instant) {
        self.since = since
        self.deadline = deadline
    }

    func wait(_ continuation: CheckedContinuation<Outcome, Never>) {
        self.continuation = continuation
        self.resume()
    }

    func end(with outcome: Outcome) {
        self.outcome = outcome
        self.resume()
    }

    private func resume() {
        guard let continuation = self.continuation, let outcome = self.outcome else { return }
        self.continuation = nil
        continuation.resume(returning: outcome)
    }
}
