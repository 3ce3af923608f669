/// What is published and delivered: properties and a body.
///
/// A class, since a message goes through many hands and its properties are many texts: a copy of them all costs more than
/// the reference.
package final class Message: Sendable, Equatable {
    /// What the message says about itself.
    package let properties: MessageProperties
    /// The payload, which AMQP does not look into.
    package let body: [UInt8]

    /// A message with that body.
    package init(properties: MessageProperties = MessageProperties(), body: [UInt8]) {
        self.properties = properties
        self.body = body
    }

    /// The same message with other properties.
    package func with(_ change: (inout MessageProperties) -> Void) -> Message {
        var properties = self.properties
        change(&properties)
        return Message(properties: properties, body: self.body)
    }

    package static func == (left: Message, right: Message) -> Bool {
        left === right || left.properties == right.properties && left.body == right.body
    }
}
