import Postgres
import RabbitMQ

extension Delivery {
    /// Whether a property or header holds a NUL, which no text of PostgreSQL can: the outbox cannot take such a message.
    var holdsNUL: Bool {
        var holdsNUL = self.exchange.hasNUL || self.routingKey.hasNUL
        self.message.properties.forEachText { holdsNUL = holdsNUL || $0.hasNUL }
        return holdsNUL || self.message.properties.headers.holdsNUL
    }
}

extension FieldTable {
    fileprivate var holdsNUL: Bool {
        self.entries.contains { $0.name.hasNUL || $0.value.holdsNUL }
    }
}

extension FieldValue {
    fileprivate var holdsNUL: Bool {
        switch self {
        case .string(let text): text.hasNUL
        case .table(let table): table.holdsNUL
        case .array(let values): values.contains(where: \.holdsNUL)
        default: false
        }
    }
}
