/// What is published and delivered: properties and a body.
package struct Message: Sendable, Equatable {
    package var properties: MessageProperties
    package var body: [UInt8]

    package init(properties: MessageProperties = MessageProperties(), body: [UInt8]) {
        self.properties = properties
        self.body = body
    }
}
