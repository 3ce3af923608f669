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
    /// The message as it was published, but for a body that was passed over.
    package let message: Message
    /// How long the body is, in bytes.
    package let bodySize: Int

    /// Whether the body was longer than the consumer takes, and is not in `message`.
    package var isPassedOver: Bool { self.bodySize > self.message.body.count }

    /// A delivery with these parts; the body is whole where its size is not given.
    package init(
        tag: DeliveryTag,
        redelivered: Bool,
        exchange: String,
        routingKey: String,
        queue: String,
        message: Message,
        bodySize: Int? = nil,
    ) {
        self.tag = tag
        self.redelivered = redelivered
        self.exchange = exchange
        self.routingKey = routingKey
        self.queue = queue
        self.message = message
        self.bodySize = bodySize ?? message.body.count
    }
}

/// The name of one delivery, good on the connection that it came on and nowhere else.
package struct DeliveryTag: Sendable, Hashable {
    /// The connection's number in this process.
    package let epoch: UInt64
    /// The delivery's number on that connection, counted from 1.
    package let number: UInt64

    /// The tag of that delivery on that connection.
    package init(epoch: UInt64, number: UInt64) {
        self.epoch = epoch
        self.number = number
    }
}
