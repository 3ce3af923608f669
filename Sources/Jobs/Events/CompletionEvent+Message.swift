import RabbitMQ
import Traces

extension CompletionEvent {
    /// The event as a message for the outbox.
    func outgoing(correlation: String?) -> OutboxMessage {
        let type = self.type
        let properties = MessageProperties(
            messageID: self.id,
            type: type,
            contentType: Self.contentType,
            correlationID: correlation ?? self.job.description,
            deliveryMode: 2,
            headers: self.trace?.headers ?? [:],
        )
        return OutboxMessage(
            to: .events,
            routingKey: type,
            Message(properties: properties, body: self.encoded()),
        )
    }
}
