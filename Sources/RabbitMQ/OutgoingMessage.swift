/// A message and where it goes.
package struct OutgoingMessage: Sendable, Equatable {
    package var message: Message
    package var exchange: String
    package var routingKey: String
    /// Whether the broker returns the message when no queue would get it.
    package var mandatory: Bool

    package init(_ message: Message, to exchange: String, routingKey: String, mandatory: Bool = true) {
        self.message = message
        self.exchange = exchange
        self.routingKey = routingKey
        self.mandatory = mandatory
    }
}
