/// What to do about the failures of one call: pure decisions, no clock.
struct RetryState: Sendable {
    enum Action: Equatable, Sendable {
        case giveUp
        case pause(Duration)
        case refreshCredentials
        case correctClock(Duration)
    }

    private let policy: RetryPolicy
    private let operation: AWSOperation
    private var failures = 0
    private var hasRefreshedCredentials = false
    private var hasCorrectedClock = false

    init(_ operation: AWSOperation, _ policy: RetryPolicy) {
        self.operation = operation
        self.policy = policy
    }

    /// Whether the call has failed before.
    var isRetrying: Bool { self.failures > 0 }

    /// Decides what follows a failure.
    ///
    /// - Parameters:
    ///   - error: The failure.
    ///   - clock: What the answer told of the server's clock, if anything.
    /// - Returns: What to do now.
    mutating func next(after error: AWSError, _ clock: ClockReading?) -> Action {
        switch error.code {
        case .throttled, .transient, .malformedResponse:
            self.failures += 1
            guard self.failures < self.policy.attempts(for: self.operation.effect, after: error),
                error.retryAfter ?? .zero <= self.policy.longestRequestedPause
            else { return .giveUp }
            return .pause(self.policy.delay(afterAttempt: self.failures, error))
        case .credentials:
            return self.nextForCredentials(error, clock)
        default:
            return .giveUp
        }
    }

    /// A wrong clock looks like wrong keys, so it comes first; each remedy is tried once.
    private mutating func nextForCredentials(_ error: AWSError, _ clock: ClockReading?) -> Action {
        if let clock, clock.isOff, error.mayComeFromClock, !self.hasCorrectedClock {
            self.hasCorrectedClock = true
            return .correctClock(clock.skew)
        }
        guard error.mayComeFromOldKeys, !self.hasRefreshedCredentials else { return .giveUp }
        self.hasRefreshedCredentials = true
        return .refreshCredentials
    }
}
