/// What went wrong between this process and the broker.
///
/// It holds no password and no message body.
package struct RabbitMQError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: String, Sendable {
        case invalidURL, connectionFailed, authenticationFailed, tlsFailed
        case connectionLost, channelClosed, consumerCancelled, closed
        case notFound, preconditionFailed, accessRefused, resourceLocked
        case deadlineExceeded, blocked, frameTooLarge, invalidMessage, cancelled
    }

    /// What kind of failure it is.
    package let code: Code
    /// What was being done, in the words of AMQP (`queue.declare`, `basic.publish`).
    package let operation: String
    /// The reply code of the broker where it sent one.
    package let replyCode: UInt16?
    /// What the broker or the library said.
    package let message: String
    /// The error behind it, as the end of the connection is behind `closed`.
    package let underlying: (any Error)?

    /// A failure of that kind.
    package init(
        _ code: Code,
        during operation: String,
        replyCode: UInt16? = nil,
        _ message: String,
        underlying: (any Error)? = nil,
    ) {
        self.code = code
        self.operation = operation
        self.replyCode = replyCode
        self.message = message
        self.underlying = underlying
    }

    /// Whether the same call may succeed later, on this connection or the next.
    package var isRetryable: Bool {
        switch self.code {
        case .connectionFailed, .connectionLost, .channelClosed, .consumerCancelled, .closed: true
        case .resourceLocked, .deadlineExceeded, .blocked: true
        case .invalidURL, .authenticationFailed, .tlsFailed, .notFound, .preconditionFailed: false
        case .accessRefused, .frameTooLarge, .invalidMessage, .cancelled: false
        }
    }

    /// Operation, code, reply code, what was said, and the error behind it.
    package var description: String {
        let reply = self.replyCode.map { " (\($0))" } ?? ""
        let cause = self.underlying.map { ": \($0)" } ?? ""
        return "\(self.operation): \(self.code.rawValue)\(reply): \(self.message)\(cause)"
    }
}
