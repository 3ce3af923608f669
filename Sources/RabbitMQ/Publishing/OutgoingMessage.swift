/// A message and where it goes.
package struct OutgoingMessage: Sendable, Equatable {
    /// What is published.
    package var message: Message
    /// Where it goes; the default exchange has the empty name.
    package var exchange: String
    /// The key that the exchange routes by.
    package var routingKey: String
    /// Whether the broker returns the message when no queue would get it.
    package var mandatory: Bool
    /// The number by which its publisher knows the message, in the header `x-outbox-id`.
    package var outboxID: Int64?

    /// A message for that exchange and key.
    package init(
        _ message: Message,
        to exchange: String,
        routingKey: String,
        mandatory: Bool = true,
        outboxID: Int64? = nil
    ) {
        self.outboxID = outboxID
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
        self.mandatory = mandatory
    }
}
