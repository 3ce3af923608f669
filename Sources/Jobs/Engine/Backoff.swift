/// Growing, random pauses between attempts at something that is away.
struct Backoff: Sendable {
    private let base: Duration
    private let cap: Duration
    private(set) var failures = 0

    init(base: Duration = .milliseconds(200), cap: Duration = .seconds(5)) {
        self.base = base
        self.cap = cap
    }

    /// The next pause: half of a bound that doubles, or anything up to the whole of it.
    mutating func next() -> Duration {
        let bound = min(self.cap, self.base * (1 << min(self.failures, 20)))
        self.failures += 1
        return bound * Double.random(in: 0.5...1)
    }
}
