package import RabbitMQ

/// One queue as it must be.
package struct DeclaredQueue: Sendable, Equatable {
    package let name: String
    package let exchange: String
    /// All that it is bound for, each a pattern of a topic exchange.
    package let routingKeys: [String]
    package let arguments: FieldTable
}
