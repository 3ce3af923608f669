import RabbitMQ
import Traces

extension CompletionEvent {
    /// The event as a message for the outbox.
    func outgoing(correlation: String?) -> OutboxMessage {
        let properties = MessageProperties(
            messageID: self.id,
            type: self.type,
            contentType: Self.contentType,
            correlationID: correlation ?? self.job.description,
            deliveryMode: 2,
            headers: self.trace?.headers ?? [:],
        )
        return OutboxMessage(
            to: .events,
            routingKey: self.type,
            Message(properties: properties, body: self.encoded()),
        )
    }
}
