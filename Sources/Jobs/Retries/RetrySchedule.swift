/// When a job that failed is tried again, and how often.
package struct RetrySchedule: Sendable, Equatable {
    /// The most that the first delay can be.
    package var base: Duration

    /// The most that any delay can be.
    package var cap: Duration

    /// After this many tries the job is dead.
    package var maximumAttempts: Int

    package init(base: Duration = .seconds(5), cap: Duration = .seconds(3600), maximumAttempts: Int = 12) {
        self.base = base
        self.cap = cap
        self.maximumAttempts = maximumAttempts
    }

    /// How long to wait after try number `attempt`, counted from 1; `nil` if it was the last.
    ///
    /// Full jitter: anything between nothing and min(cap, base · 2ⁿ⁻¹), so that jobs which failed together do not
    /// come back together.
    package func delay(
        afterAttempt attempt: Int,
        using generator: inout some RandomNumberGenerator,
    ) -> Duration? {
        guard attempt < self.maximumAttempts else { return nil }
        let doublings = min(max(attempt - 1, 0), 30)
        let ceiling = min(self.cap, self.base * (1 << doublings))
        return ceiling * Double.random(in: 0...1, using: &generator)
    }
}
