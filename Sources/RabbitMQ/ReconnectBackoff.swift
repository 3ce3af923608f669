/// How long to wait before the next attempt to connect: full jitter over a bound that doubles up to a cap.
package struct ReconnectBackoff: Sendable {
    private let base: Duration
    private let cap: Duration
    private var attempts = 0

    /// Waits that begin below `base` and never exceed `cap`, so that work goes on within seconds of a broker's return.
    package init(base: Duration = .milliseconds(250), cap: Duration = .seconds(5)) {
        self.base = base
        self.cap = cap
    }

    /// The longest that the next wait can be.
    package var bound: Duration { min(self.cap, self.base * (1 << min(self.attempts, 20))) }

    /// The next wait, anything between nothing and the bound, which doubles.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let wait = self.bound * Double.random(in: 0...1, using: &generator)
        self.attempts += 1
        return wait
    }

    /// Starts over after a connection that held.
    package mutating func reset() { self.attempts = 0 }
}
