/// What is published and delivered: properties and a body.
package struct Message: Sendable, Equatable {
    /// What the message says about itself.
    package var properties: MessageProperties
    /// The payload, which AMQP does not look into.
    package var body: [UInt8]

    /// A message with that body.
    package init(properties: MessageProperties = MessageProperties(), body: [UInt8]) {
        self.properties = properties
        self.body = body
    }
}
