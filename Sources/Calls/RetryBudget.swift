/// Keeps a service that is down from being asked three times as often: each retry costs, each success pays back.
package struct RetryBudget: Sendable {
    private static let capacity = 500
    private var tokens = capacity

    /// A full one, for a hundred retries after answers or fifty after none.
    package init() {}

    /// Whether a retry can be afforded; takes its cost if so, which is twice as much where no answer came.
    package mutating func pay(afterAnswer: Bool) -> Bool {
        let cost = afterAnswer ? 5 : 10
        guard self.tokens >= cost else { return false }
        self.tokens -= cost
        return true
    }

    /// A call succeeded; at once, or after a retry, which gives that retry's cost back.
    package mutating func refill(afterRetry: Bool) {
        self.tokens = min(Self.capacity, self.tokens + (afterRetry ? 5 : 1))
    }
}
