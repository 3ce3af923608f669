/// Attempts a call until it succeeds, is not worth another attempt, or has no time left.
package struct RetryLoop: Sendable {
    private let policy: RetryPolicy
    private let deadline: ContinuousClock.Instant

    /// - Parameters:
    ///   - policy: How long to pause between attempts.
    ///   - deadline: No pause goes on after it; attempts see to it themselves.
    package init(_ policy: RetryPolicy, until deadline: ContinuousClock.Instant) {
        self.policy = policy
        self.deadline = deadline
    }

    /// Calls `attempt` as often as it takes and is allowed.
    ///
    /// - Parameters:
    ///   - attempt: Makes one attempt; hears whether an earlier one has failed and was paused after.
    ///   - apply: Does what may help before the next attempt, which follows at once.
    ///   - mayRetry: Asked before each pause; where a budget is spent it says no.
    /// - Returns: What the attempt that succeeded returned.
    /// - Throws: The error of the last attempt, which asks for the rest of the pause if the deadline was too near for
    ///   it; the error of a cancellation if the task was cancelled in a pause.
    package func run<Output, Failure: CallError, Remedy: Identifiable & Sendable>(
        _ attempt: (_ isRetry: Bool) async -> Result<Output, AttemptFailure<Failure, Remedy>>,
        remedy apply: (Remedy) -> Void = { _ in },
        mayRetry: (Failure) -> Bool = { _ in true }
    ) async throws(Failure) -> Output {
        var state = RetryState<Remedy>(self.policy)
        while true {
            switch await attempt(state.isRetrying) {
            case .success(let output):
                return output
            case .failure(let failure):
                switch state.next(after: failure) {
                case .giveUp: throw failure.error
                case .apply(let remedy): apply(remedy)
                case .pause(let delay):
                    guard mayRetry(failure.error) else { throw failure.error }
                    try await self.policy.pause(delay, before: self.deadline, orThrow: failure.error)
                }
            }
        }
    }
}
