/// A message that a queue handed out and wants to hear about.
package struct Delivery: Sendable {
    package let tag: DeliveryTag
    /// Whether the queue has handed it out before.
    package let redelivered: Bool
    package let exchange: String
    package let routingKey: String
    package let queue: String
    package let message: Message

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
