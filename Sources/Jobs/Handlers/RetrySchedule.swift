package import Calls

/// When a job that failed is attempted again, and how often.
package struct RetrySchedule: Sendable, Equatable {
    /// How long to wait before the next attempt.
    package var backoff: Backoff

    /// After this many attempts the job is dead.
    package var maximumAttempts: Int

    package init(
        backoff: Backoff = Backoff(base: .seconds(5), cap: .seconds(3600)),
        maximumAttempts: Int = 12
    ) {
        self.backoff = backoff
        self.maximumAttempts = maximumAttempts
    }

    /// How long to wait after attempt number `attempt`, counted from 1; `nil` if it was the last.
    package func delay(
        afterAttempt attempt: Int,
        using generator: inout some RandomNumberGenerator,
    ) -> Duration? {
        guard attempt < self.maximumAttempts else { return nil }
        return self.backoff.pause(afterFailure: attempt, using: &generator)
    }
}
