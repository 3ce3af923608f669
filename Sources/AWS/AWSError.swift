/// What went wrong with one call to AWS.
///
/// `description` holds nothing secret: no tokens, no bodies, no encoded authorization messages.
package struct AWSError: Error, Sendable {
    /// The kind of failure, from which callers decide.
    package enum Code: String, Sendable {
        /// AWS asks for fewer requests.
        case throttled
        /// A failure of the moment: 5xx, a lost connection before anything was done.
        case transient
        /// No credentials, or AWS does not accept them.
        case credentials
        /// The credentials are good, the permission is missing.
        case accessDenied
        case notFound
        /// The thing exists already, is in use, or is in a state that forbids the call.
        case conflict
        /// A quota of the account; waiting does not help.
        case limitExceeded
        /// AWS refuses the parameters.
        case invalid
        /// The request went out and no answer came: it may have been carried out. Look before repeating.
        case unknownOutcome
        case malformedResponse
        case deadlineExceeded
        case cancelled
        /// A setting that cannot work, such as a malformed endpoint.
        case configuration
        case other
    }

    package var code: Code
    /// Service and operation, such as `ec2.CreateSnapshot`.
    package var operation: String
    /// What AWS said; the first of `messages` where there are several.
    package var message: String
    /// AWS's own word, such as `InvalidVolume.NotFound`.
    package var awsCode: String?
    /// The HTTP status, where there was an answer.
    package var status: Int?
    package var requestID: String?
    /// All messages of a refused batch of DNS changes; empty otherwise.
    package var messages: [String] = []
    /// How long AWS, or the nature of the failure, asks to wait before the next attempt.
    package var retryAfter: Duration?
    package var underlying: (any Error)?

    /// Whether the same job may well succeed later without anybody changing anything.
    ///
    /// True for an unknown outcome too: every operation here looks for its own earlier result first.
    package var isRetryable: Bool {
        switch self.code {
        case .throttled, .transient, .unknownOutcome, .deadlineExceeded, .credentials, .malformedResponse:
            true
        case .conflict: self.isPassingConflict
        case .accessDenied, .notFound, .limitExceeded, .invalid, .cancelled, .configuration, .other: false
        }
    }
}

extension AWSError: CustomStringConvertible {
    package var description: String {
        var facts = [
            self.awsCode, self.status.map { "status \($0)" }, self.requestID.map { "request \($0)" },
        ]
        .compactMap { $0 }
        if let underlying { facts.append("\(underlying)") }
        let details = facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))"
        return "\(self.operation) \(self.code.rawValue): \(self.message)\(details)"
    }
}
