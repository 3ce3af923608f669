/// The basic properties of a message.
package struct MessageProperties: Sendable, Equatable {
    package var messageID: String?
    package var type: String?
    package var contentType: String?
    package var contentEncoding: String?
    package var correlationID: String?
    package var replyTo: String?
    /// The time to live in milliseconds, as text.
    package var expiration: String?
    package var userID: String?
    package var appID: String?
    package var clusterID: String?
    /// 2 for persistent.
    package var deliveryMode: UInt8?
    package var priority: UInt8?
    /// Seconds since 1970.
    package var timestamp: UInt64?
    package var headers: FieldTable

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
