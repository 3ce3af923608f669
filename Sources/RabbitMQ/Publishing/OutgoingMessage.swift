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

    /// A message for that exchange and key.
    package init(_ message: Message, to exchange: String, routingKey: String, mandatory: Bool = true) {
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
        self.mandatory = mandatory
    }
}
