package import FoundationEssentials
package import RabbitMQ

/// Why and how a job died.
package struct Death: Sendable, Equatable {
    /// The reasons that programs tell apart.
    package enum Cause: String, Sendable, CaseIterable {
        case malformed, rejected, exhausted, poison
        case unknownKind = "unknown-kind"
        case invalidPayload = "invalid-payload"
    }

    package let cause: Cause

    /// A short word for the fault itself; empty where there is none.
    package let code: String

    /// What went wrong, as a sentence; cut to fit a frame where it travels in a header.
    package let error: String

    /// The tries that the handler has made; 0 if it never ran.
    package let attempts: Int

    package init(_ cause: Cause, code: String = "", error: String, attempts: Int = 0) {
        self.cause = cause
        self.code = code
        self.error = error
        self.attempts = attempts
    }
}

extension Death {
    /// The message as it lies in the dead queue: its body and properties as they came, with the story of its death.
    ///
    /// The broker would refuse a `user_id` that is not its client's, and would drop an expired letter, so these
    /// two properties move into headers.
    package func letter(for message: Message, exchange: String, routingKey: String, at time: Date) -> Message
    {
        var letter = message
        letter.properties.deliveryMode = 2
        letter.properties.userID = nil
        letter.properties.expiration = nil

        var headers = message.properties.headers
        headers[DeadLetterHeader.reason] = .string(self.cause.rawValue)
        headers[DeadLetterHeader.code] = .string(self.code)
        headers[DeadLetterHeader.error] = .string(self.error.prefix(utf8Bytes: 4096))
        headers[DeadLetterHeader.attempts] = .int64(Int64(self.attempts))
        headers[DeadLetterHeader.diedAt] = .string(time.rfc3339)
        headers[DeadLetterHeader.exchange] = .string(exchange)
        headers[DeadLetterHeader.routingKey] = .string(routingKey)
        headers[DeadLetterHeader.replayCount] = .int64(Int64(DeadLetterHeader.replayCount(of: message)))
        if let userID = message.properties.userID { headers[DeadLetterHeader.userID] = .string(userID) }
        if let expiration = message.properties.expiration {
            headers[DeadLetterHeader.expiration] = .string(expiration)
        }
        letter.properties.headers = headers
        return letter
    }
}

extension String {
    /// As many whole characters from the start as fit into `count` bytes of UTF-8.
    func prefix(utf8Bytes count: Int) -> String {
        guard self.utf8.count > count else { return self }
        var end = self.utf8.index(self.startIndex, offsetBy: count)
        while end > self.startIndex, end.samePosition(in: self) == nil { end = self.utf8.index(before: end) }
        return String(self[..<end])
    }
}
