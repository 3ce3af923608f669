package import RabbitMQ

/// One queue as it must be.
package struct DeclaredQueue: Sendable, Equatable {
    package let name: String
    package let exchange: String
    package let routingKey: String
    package let arguments: FieldTable
}
