/// What to do about the failures of one call: pure decisions, no clock.
struct RetryState: Sendable {
    enum Action: Equatable, Sendable {
        case giveUp
        case pause(Duration)
        case renewAccess(AccessComplaint)
    }

    private let policy: RetryPolicy
    private var failures = 0
    private var remedies: Set<AccessComplaint> = []

    init(_ policy: RetryPolicy) {
        self.policy = policy
    }

    /// Decides what follows a failure; each remedy is tried once.
    mutating func next(after failure: AttemptFailure) -> Action {
        let error = failure.error
        if let complaint = failure.complaint, self.remedies.insert(complaint).inserted {
            return .renewAccess(complaint)
        }
        guard error.code == .throttled || error.code == .transient || error.code == .malformedResponse else {
            return .giveUp
        }
        self.failures += 1
        guard self.failures < self.policy.attempts,
            error.retryAfter ?? .zero <= self.policy.longestRequestedPause
        else { return .giveUp }
        return .pause(self.policy.delay(afterAttempt: self.failures, error))
    }
}
