import RabbitMQ

extension Delivery {
    /// Whether a property or header holds a NUL, which no text of PostgreSQL can: the outbox cannot take such a message.
    var holdsNUL: Bool {
        let properties = self.message.properties
        let texts = [
            self.exchange, self.routingKey, properties.messageID, properties.type, properties.contentType,
            properties.contentEncoding, properties.correlationID, properties.replyTo, properties.expiration,
            properties.userID, properties.appID, properties.clusterID,
        ]
        return texts.contains { $0?.utf8.contains(0) ?? false } || properties.headers.holdsNUL
    }
}

extension FieldTable {
    fileprivate var holdsNUL: Bool {
        self.entries.contains { $0.name.utf8.contains(0) || $0.value.holdsNUL }
    }
}

extension FieldValue {
    fileprivate var holdsNUL: Bool {
        switch self {
        case .string(let text): text.utf8.contains(0)
        case .table(let table): table.holdsNUL
        case .array(let values): values.contains(where: \.holdsNUL)
        default: false
        }
    }
}
