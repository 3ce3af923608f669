/// What to do about the failures of one call: pure decisions, no clock.
struct RetryState<Remedy: Identifiable & Sendable> {
    enum Action {
        case giveUp
        case pause(Duration)
        case apply(Remedy)
    }

    private let policy: RetryPolicy
    private var failures = 0
    private var applied: Set<Remedy.ID> = []

    init(_ policy: RetryPolicy) { self.policy = policy }

    /// Whether the call has paused after a failure before.
    var isRetrying: Bool { self.failures > 0 }

    /// Decides what follows a failure.
    mutating func next(after failure: AttemptFailure<some CallError, Remedy>) -> Action {
        let error = failure.error
        if let remedy = failure.remedies.first(where: { !self.applied.contains($0.id) }) {
            self.applied.insert(remedy.id)
            return .apply(remedy)
        }
        guard error.isTransient else { return .giveUp }
        self.failures += 1
        guard self.failures < failure.mostAttempts,
            error.retryAfter ?? .zero <= self.policy.longestRequestedPause
        else { return .giveUp }
        return .pause(self.policy.delay(afterFailure: self.failures, error))
    }
}

extension RetryState.Action: Equatable where Remedy: Equatable {}
