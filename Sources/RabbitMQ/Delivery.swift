/// A message that a queue handed out and wants to hear about.
package struct Delivery: Sendable {
    /// What a verdict on the delivery names.
    package let tag: DeliveryTag
    /// Whether the queue has handed it out before.
    package let redelivered: Bool
    /// The exchange it was published to; empty for the default one.
    package let exchange: String
    /// The key it was published with.
    package let routingKey: String
    /// The queue that it came from.
    package let queue: String
    /// The message as it was published.
    package let message: Message

    /// A delivery with these parts.
    package init(
        tag: DeliveryTag,
        redelivered: Bool,
        exchange: String,
        routingKey: String,
        queue: String,
        message: Message,
    ) {
        self.tag = tag
        self.redelivered = redelivered
        self.exchange = exchange
        self.routingKey = routingKey
        self.queue = queue
        self.message = message
    }
}
