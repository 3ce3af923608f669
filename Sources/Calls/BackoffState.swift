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
