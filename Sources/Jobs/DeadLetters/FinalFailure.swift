package import FoundationEssentials
package import RabbitMQ

/// Why a job failed for good.
package struct FinalFailure: Sendable, Equatable {
    /// The reasons that programs tell apart.
    package enum Cause: String, Sendable, CaseIterable {
        case malformed, rejected, exhausted, poison
        case unknownKind = "unknown-kind"
        case invalidPayload = "invalid-payload"
    }

    package let cause: Cause

    /// A short word for the fault itself; empty where there is none.
    package let code: String

    /// What went wrong, as a sentence; cleaned, and cut to fit a frame where it travels in a header.
    package let error: String

    /// The attempts that the handler has made; 0 if it never ran.
    package let attempts: Int

    package init(_ cause: Cause, code: String = "", error: String, attempts: Int = 0) {
        self.cause = cause
        self.code = code.cleaned(utf8Bytes: Reason.longestCode)
        self.error = error.cleaned(utf8Bytes: Reason.longestMessage)
        self.attempts = attempts
    }
}

extension FinalFailure {
    /// The same as the ledger has it.
    var recorded: Reason { Reason(self.code.isEmpty ? self.cause.rawValue : self.code, self.error) }

    /// The same with one more thing that went wrong.
    func adding(_ trouble: String) -> FinalFailure {
        FinalFailure(self.cause, code: self.code, error: "\(self.error); \(trouble)", attempts: self.attempts)
    }
}

extension FinalFailure {
    /// The message as it lies in the dead queue: its body and properties as they came, with the story of its failure.
    ///
    /// The broker would refuse a `user_id` that is not its client's, and would drop an expired message, so these
    /// two properties move into headers.
    package func deadLetter(for message: Message, exchange: String, routingKey: String, at time: Date)
        -> Message
    {
        var headers = message.properties.headers
        headers[DeadLetterHeader.reason] = .string(self.cause.rawValue)
        headers[DeadLetterHeader.code] = .string(self.code)
        headers[DeadLetterHeader.error] = .string(self.error)
        headers[DeadLetterHeader.attempts] = .int64(Int64(self.attempts))
        headers[DeadLetterHeader.diedAt] = .string(time.rfc3339)
        headers[DeadLetterHeader.exchange] = .string(exchange)
        headers[DeadLetterHeader.routingKey] = .string(routingKey)
        headers[DeadLetterHeader.replayCount] = .int64(Int64(DeadLetterHeader.replayCount(of: message)))
        // Only the broker's word for it counts, not a header that came along.
        headers[DeadLetterHeader.userID] = message.properties.userID.map { .string($0) }
        if let expiration = message.properties.expiration {
            headers[DeadLetterHeader.expiration] = .string(expiration)
        }
        return message.with {
            $0.deliveryMode = 2
            $0.userID = nil
            $0.expiration = nil
            $0.headers = headers
        }
    }
}
