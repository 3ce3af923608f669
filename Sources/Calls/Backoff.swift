/// How long to pause between attempts: a bound that doubles with each failure, and a random share of it.
///
/// The share keeps those who failed together from coming back together.
package struct Backoff: Sendable, Equatable {
    /// The bound after the first failure.
    package var base: Duration

    /// The most that the bound grows to.
    package var cap: Duration

    /// The least and the most of the bound that a pause may be; `0...1` spreads best, `1...1` is not random.
    package var jitter: ClosedRange<Double>

    /// Beyond this the bound would leave the range of `Duration`; every cap is reached long before.
    private static let mostDoublings = 30

    package init(base: Duration, cap: Duration, jitter: ClosedRange<Double> = 0...1) {
        self.base = base
        self.cap = cap
        self.jitter = jitter
    }

    /// Pauses that do not grow.
    package init(constant bound: Duration, jitter: ClosedRange<Double> = 0...1) {
        self.init(base: bound, cap: bound, jitter: jitter)
    }

    /// The longest that the pause after failure `number` in a row can be, counted from 1: min(cap, base · 2ⁿ⁻¹).
    package func bound(afterFailure number: Int) -> Duration {
        min(self.cap, self.base * (1 << min(max(number - 1, 0), Self.mostDoublings)))
    }

    /// The pause after failure `number` in a row, counted from 1, drawn from `generator`.
    package func pause(
        afterFailure number: Int,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        self.bound(afterFailure: number) * Double.random(in: self.jitter, using: &generator)
    }

    /// The pause after failure `number` in a row, counted from 1.
    package func pause(afterFailure number: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return self.pause(afterFailure: number, using: &generator)
    }
}

/// Counts failures in a row and says how long to pause after each.
package struct BackoffState: Sendable {
    private let backoff: Backoff

    /// How many attempts have failed since the last that did not.
    package private(set) var failures = 0

    package init(_ backoff: Backoff) { self.backoff = backoff }

    /// Counts a failure, and gives the pause before the next attempt.
    package mutating func next() -> Duration {
        self.failures += 1
        return self.backoff.pause(afterFailure: self.failures)
    }

    /// Starts over, after an attempt that succeeded.
    package mutating func reset() { self.failures = 0 }
}
