import RabbitMQ

extension CompletionEvent {
    /// The event as a message for the outbox.
    func outgoing(correlation: String?) throws -> OutboxMessage {
        let headers: FieldTable = self.traceparent.map { ["traceparent": .string($0)] } ?? [:]
        let properties = MessageProperties(
            messageID: self.id,
            type: self.type,
            contentType: Self.contentType,
            correlationID: correlation ?? self.job.description,
            headers: headers,
        )
        return OutboxMessage(
            to: .events,
            routingKey: self.type,
            Message(properties: properties, body: try self.encoded()),
        )
    }
}

extension Message {
    /// The W3C trace context that the producer sent along.
    var traceparent: String? { self.properties.headers["traceparent"]?.string }
}
