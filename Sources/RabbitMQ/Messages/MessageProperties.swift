/// The basic properties of a message.
package struct MessageProperties: Sendable, Equatable {
    /// The name that the publisher gave the message.
    package var messageID: String?
    /// What the message is, in the application's words.
    package var type: String?
    /// The MIME type of the body.
    package var contentType: String?
    /// The MIME encoding of the body.
    package var contentEncoding: String?
    /// What the message belongs to.
    package var correlationID: String?
    /// The queue that expects an answer.
    package var replyTo: String?
    /// The time to live in milliseconds, as text.
    package var expiration: String?
    /// The user who published; the broker checks it.
    package var userID: String?
    /// The program that published.
    package var appID: String?
    /// A field that AMQP 0-9-1 has kept from earlier versions.
    package var clusterID: String?
    /// 2 for persistent.
    package var deliveryMode: UInt8?
    /// From 0 to 255; higher is sooner, where the queue has priorities.
    package var priority: UInt8?
    /// Seconds since 1970.
    package var timestamp: UInt64?
    /// The application's own properties, and those that the broker adds.
    package var headers: FieldTable

    /// Calls `body` with each property that is text; the headers are left out.
    package func forEachText(_ body: (String) -> Void) {
        func visit(_ text: String?) { if let text { body(text) } }
        visit(self.messageID)
        visit(self.type)
        visit(self.contentType)
        visit(self.contentEncoding)
        visit(self.correlationID)
        visit(self.replyTo)
        visit(self.expiration)
        visit(self.userID)
        visit(self.appID)
        visit(self.clusterID)
    }

    /// Properties of which all may be absent.
    package init(
        messageID: String? = nil,
        type: String? = nil,
        contentType: String? = nil,
        contentEncoding: String? = nil,
        correlationID: String? = nil,
        replyTo: String? = nil,
        expiration: String? = nil,
        userID: String? = nil,
        appID: String? = nil,
        clusterID: String? = nil,
        deliveryMode: UInt8? = nil,
        priority: UInt8? = nil,
        timestamp: UInt64? = nil,
        headers: FieldTable = [:],
    ) {
        self.messageID = messageID
        self.type = type
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.correlationID = correlationID
        self.replyTo = replyTo
        self.expiration = expiration
        self.userID = userID
        self.appID = appID
        self.clusterID = clusterID
        self.deliveryMode = deliveryMode
        self.priority = priority
        self.timestamp = timestamp
        self.headers = headers
    }
}
