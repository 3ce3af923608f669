/// How long to pause between the attempts of one call.
package struct RetryPolicy: Sendable {
    /// After a failure of the moment.
    package var transient: Backoff

    /// After the server asked for fewer requests.
    package var throttled: Backoff

    /// If the server asks for a longer pause, the job had better come back later than hold its worker.
    package var longestRequestedPause: Duration = .seconds(5)

    /// Takes the time of a pause, and throws when the task is cancelled; tests that need not wait replace it.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    package init(
        transient: Backoff = Backoff(base: .milliseconds(100), cap: .seconds(20)),
        throttled: Backoff = Backoff(base: .seconds(1), cap: .seconds(20))
    ) {
        self.transient = transient
        self.throttled = throttled
    }

    /// The pause after failure `number` of a call, counted from 1; never less than what the server asked for.
    func delay(afterFailure number: Int, _ error: some CallError) -> Duration {
        let backoff = error.isThrottling ? self.throttled : self.transient
        return max(backoff.pause(afterFailure: number), error.retryAfter ?? .zero)
    }

    /// Pauses, but never past the deadline.
    ///
    /// - Parameters:
    ///   - delay: How long.
    ///   - deadline: When the caller has to have heard of the outcome.
    ///   - error: What the call has failed with so far.
    /// - Throws: `error` at once, asking for at least `delay`, if the deadline comes first; the error of a cancellation
    ///   if the task is cancelled.
    package func pause<Failure: CallError>(
        _ delay: Duration,
        before deadline: ContinuousClock.Instant,
        orThrow error: Failure
    ) async throws(Failure) {
        guard delay < ContinuousClock.now.duration(to: deadline) else {
            var error = error
            error.retryAfter = max(delay, error.retryAfter ?? .zero)
            throw error
        }
        let cancellation = error.asCancellation
        do {
            try await self.sleep(delay)
        } catch {
            throw cancellation
        }
    }
}
