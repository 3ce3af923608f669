package import RabbitMQ

/// A job message whose envelope is in order: it has an id and a kind, and its body can be JSON.
package struct Envelope: Sendable {
    package let id: JobID
    package let kind: JobKind

    /// How often the job has been brought back from a dead queue.
    package let replayCount: Int

    /// How often the job had been put off when the message was written; 0 for a producer's own.
    package let turn: Int

    /// The header of `turn`.
    static let turnHeader = "x-turn"

    /// Whether a queue has handed it out before.
    package let isRedelivered: Bool

    /// The message as it came.
    package let message: Message

    package let exchange: String
    package let routingKey: String

    /// The queue that it came from.
    package let queue: String

    /// Throws what makes the message `malformed`: no retry will mend it.
    package init(_ delivery: Delivery) throws(Malformed) {
        let properties = delivery.message.properties
        guard let text = properties.messageID, let id = JobID(text) else {
            throw Malformed("message-id", "message_id must be a UUID; it names the job")
        }
        guard !delivery.holdsNUL else {
            throw Malformed("encoding", "a property or a header holds a NUL, which no text may hold")
        }
        try Self.checkContentType(properties.contentType)
        try checkJobBody(delivery.message.body)
        self.id = id
        self.kind = JobKind(properties.type ?? delivery.routingKey)
        self.replayCount = DeadLetterHeader.replayCount(of: delivery.message)
        let turn = delivery.message.properties.headers[Self.turnHeader]?.integer ?? 0
        // The ledger counts in 32 bits.
        self.turn = Int(Int32(clamping: turn))
        self.isRedelivered = delivery.redelivered
        self.message = delivery.message
        self.exchange = delivery.exchange
        self.routingKey = delivery.routingKey
        self.queue = delivery.queue
    }

    /// Absent means JSON; parameters such as `charset` are ignored.
    private static func checkContentType(_ contentType: String?) throws(Malformed) {
        guard let contentType else { return }
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        guard type == "application/json" else {
            throw Malformed(
                "content-type",
                "content_type must be application/json, not \(contentType.prefix(100))"
            )
        }
    }
}

/// Why a message can never become a job.
package struct Malformed: Error, Sendable, Equatable {
    /// The part that is wrong: `message-id`, `content-type`, `size`, `encoding` or `json`.
    package let code: String

    /// A sentence for whoever sent it.
    package let message: String

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }
}
