/// Spreads requests: a burst after a pause, then a steady rate that halves on throttling and grows back.
struct TokenBucket: Sendable {
    private let fullRate: Double
    private let burst: Double
    private(set) var rate: Double
    private var tokens: Double
    private var lastRefill: ContinuousClock.Instant

    init(_ rateClass: RateClass, now: ContinuousClock.Instant) {
        (self.fullRate, self.burst) = rateClass.allowance
        self.rate = self.fullRate
        self.tokens = self.burst
        self.lastRefill = now
    }

    /// Takes the place of one request in the queue.
    ///
    /// - Parameters:
    ///   - now: The time of the request.
    ///   - limit: The longest wait that makes sense.
    /// - Returns: How long it has to wait, or nil, and no place is taken, if that is longer than `limit`.
    mutating func reserve(at now: ContinuousClock.Instant, within limit: Duration) -> Duration? {
        guard self.rate.isFinite else { return .zero }
        self.tokens = min(self.burst, self.tokens + self.lastRefill.duration(to: now).inSeconds * self.rate)
        self.lastRefill = now
        let wait = Duration.seconds(max(0, 1 - self.tokens) / self.rate)
        guard wait <= limit else { return nil }
        self.tokens -= 1
        return wait
    }

    /// AWS asked for fewer requests.
    mutating func slowDown() {
        guard self.rate.isFinite else { return }
        self.rate = max(self.rate / 2, self.fullRate / 32)
        self.tokens = min(self.tokens, 0)
    }

    /// A request was let through: a twentieth of the full rate comes back.
    mutating func speedUp() {
        guard self.rate.isFinite else { return }
        self.rate = min(self.fullRate, self.rate + self.fullRate / 20)
    }
}

extension Duration {
    /// The duration as a number of seconds.
    var inSeconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18
    }
}
