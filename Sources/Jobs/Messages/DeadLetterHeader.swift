package import RabbitMQ

/// The headers that a dead-letter message carries beside its own.
package enum DeadLetterHeader {
    package static let reason = "x-dead-reason"
    package static let code = "x-dead-code"
    package static let error = "x-dead-error"
    package static let attempts = "x-dead-attempts"
    package static let diedAt = "x-dead-at"
    package static let exchange = "x-original-exchange"
    package static let routingKey = "x-original-routing-key"
    package static let replayCount = "x-replay-count"
    package static let replayedAt = "x-replayed-at"
    package static let replayedBy = "x-replayed-by"
    package static let expiration = "x-original-expiration"
    package static let userID = "x-original-user-id"

    /// What a replay takes off again.
    package static let ofDeath = [reason, code, error, attempts, diedAt]
    static let ofOrigin = [exchange, routingKey, expiration, userID]

    /// What RabbitMQ adds when it dead-letters a message itself.
    static let ofBroker = [
        "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
        "x-last-death-exchange",
        "x-last-death-queue", "x-last-death-reason",
    ]

    /// The ledger counts in 32 bits, and must be able to count one more.
    private static let largestReplayCount = Int64(Int32.max - 1)

    /// How often the message has been brought back from a dead queue; 0 where it does not say.
    package static func replayCount(of message: Message) -> Int {
        guard let count = message.properties.headers[replayCount]?.integer else { return 0 }
        return Int(min(max(0, count), largestReplayCount))
    }
}
