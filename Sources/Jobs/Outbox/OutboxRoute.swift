/// The way of a message: its exchange, and the key that it is routed by.
struct OutboxRoute: Hashable, Sendable {
    let destination: Destination
    let routingKey: String
}

extension OutboxMessage {
    var route: OutboxRoute { OutboxRoute(destination: self.destination, routingKey: self.routingKey) }
}
