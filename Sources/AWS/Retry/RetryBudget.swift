/// Keeps a service that is down from being asked three times as often: each retry costs, each success pays back.
struct RetryBudget: Sendable {
    private static let capacity = 500
    private var tokens = capacity

    /// Whether a retry after `error` can be afforded; takes its cost if so.
    mutating func pay(for error: AWSError) -> Bool {
        let cost = error.status == nil ? 10 : 5
        guard self.tokens >= cost else { return false }
        self.tokens -= cost
        return true
    }

    /// A call succeeded; at once, or after a retry, which gives that retry's cost back.
    mutating func refill(afterRetry: Bool) {
        self.tokens = min(Self.capacity, self.tokens + (afterRetry ? 5 : 1))
    }
}
