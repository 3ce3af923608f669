package import RabbitMQ

/// Who asked for a job.
package struct Requester: Sendable, Equatable {
    /// Whom the producer names in `x-requested-by`; its own word.
    package let requestedBy: String?

    /// The producer's account at RabbitMQ, which the broker has compared with the property `user_id`; nil where the
    /// producer did not set it.
    package let brokerUser: String?

    package static let nobody = Requester(requestedBy: nil, brokerUser: nil)

    /// The header of `requestedBy`.
    package static let header = "x-requested-by"

    /// The longest name that is kept, in bytes.
    private static let longestName = 255

    package init(requestedBy: String?, brokerUser: String?) {
        self.requestedBy = Self.name(requestedBy)
        self.brokerUser = Self.name(brokerUser)
    }

    /// An empty name names nobody.
    private static func name(_ text: String?) -> String? {
        guard let name = text?.cleaned(utf8Bytes: Self.longestName), !name.isEmpty else { return nil }
        return name
    }

    /// From a message that came straight from its producer.
    ///
    /// What the worker publishes has no `user_id`: for retries the ledger knows the producer's, and no header could be
    /// believed.
    package init(_ properties: MessageProperties) {
        self.init(requestedBy: properties.headers[Self.header]?.string, brokerUser: properties.userID)
    }
}
