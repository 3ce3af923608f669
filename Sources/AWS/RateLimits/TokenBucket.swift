/// Spreads requests: a burst after a pause, then a steady rate that halves on throttling and grows back with time.
struct TokenBucket: Sendable {
    private let fullRate: Double
    private let burst: Double
    private(set) var rate: Double
    private var lastThrottling: ContinuousClock.Instant?
    private var tokens: Double
    private var lastRefill: ContinuousClock.Instant

    /// Requests answered within this time of each other were throttled for one and the same reason.
    private static let oneThrottling: Duration = .seconds(1)
    private static let secondsToRecover = 10.0
    private static let leastShare = 1.0 / 16

    /// - Parameter factor: How many times AWS's usual allowance this process may use.
    init(_ rateClass: RateClass, factor: Double = 1, now: ContinuousClock.Instant) {
        let (rate, burst) = rateClass.allowance
        (self.fullRate, self.burst) = (rate * factor, max(1, burst * factor))
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
        let elapsed = self.lastRefill.duration(to: now).inSeconds
        self.tokens = self.tokens(at: now)
        self.rate = min(self.fullRate, self.rate + elapsed * self.fullRate / Self.secondsToRecover)
        self.lastRefill = now
        let wait = Duration.seconds(max(0, 1 - self.tokens) / self.rate)
        guard wait <= limit else { return nil }
        self.tokens -= 1
        return wait
    }

    /// Whether more than half of a burst is left.
    func hasBurst(at now: ContinuousClock.Instant) -> Bool {
        !self.rate.isFinite || self.tokens(at: now) > self.burst / 2
    }

    private func tokens(at now: ContinuousClock.Instant) -> Double {
        min(self.burst, self.tokens + self.lastRefill.duration(to: now).inSeconds * self.rate)
    }

    /// AWS asked for fewer requests.
    mutating func slowDown(at now: ContinuousClock.Instant) {
        guard self.rate.isFinite else { return }
        if let last = self.lastThrottling, last.duration(to: now) < Self.oneThrottling { return }
        self.lastThrottling = now
        self.rate = max(self.rate / 2, self.fullRate * Self.leastShare)
        self.tokens = min(self.tokens, 0)
    }
}

extension Duration {
    /// The duration as a number of seconds.
    var inSeconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18
    }
}
