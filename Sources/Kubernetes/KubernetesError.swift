import Calls

/// What went wrong with one call to an API server.
///
/// `description` holds nothing secret: no tokens, no bodies.
package struct KubernetesError: Error, Sendable {
    /// The kind of failure, from which callers decide.
    package enum Code: String, Sendable {
        /// The server asks for fewer requests.
        case throttled
        /// A failure of the moment: 5xx, a lost connection.
        case transient
        /// No token or certificate, or the server does not accept it.
        case credentials
        /// We are known, the permission is missing.
        case accessDenied
        case notFound
        /// The thing was changed or replaced meanwhile, or its state forbids the call.
        case conflict
        /// The version or the page that was asked for is too old.
        case expired
        /// The server refuses the parameters.
        case invalid
        /// A command was sent and how it ended is unknown: it may have run, in part or whole.
        case unknownOutcome
        case malformedResponse
        case deadlineExceeded
        case cancelled
        /// A setting or a kubeconfig that cannot work.
        case configuration
        case other
    }

    package var code: Code
    /// Resource and verb, such as `pods.list`.
    package var operation: String
    /// What the server said.
    package var message: String
    /// The server's own word, such as `NotFound`.
    package var reason: String?
    /// The HTTP status, where there was an answer.
    package var status: Int?
    /// How long the server asks to wait before the next attempt.
    package var retryAfter: Duration?
    package var underlying: (any Error)?

    /// Whether the same job may well succeed later without anybody changing the job.
    package var isRetryable: Bool {
        switch self.code {
        case .throttled, .transient, .credentials, .conflict, .expired, .unknownOutcome, .malformedResponse,
            .deadlineExceeded:
            true
        // A server that has just started refuses everybody until it knows the roles, and a mistake in a binding
        // is soon mended: neither must cost the jobs of those minutes.
        case .accessDenied: true
        case .notFound, .invalid, .cancelled, .configuration, .other: false
        }
    }
}

extension KubernetesError: CustomStringConvertible {
    package var description: String {
        var facts = [self.reason, self.status.map { "status \($0)" }].compactMap { $0 }
        if let underlying { facts.append("\(underlying)") }
        let details = facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))"
        return "\(self.operation) \(self.code.rawValue): \(self.message)\(details)"
    }
}

extension KubernetesError {
    static func configuration(_ message: String) -> KubernetesError {
        KubernetesError(code: .configuration, operation: "kubernetes.configuration", message: message)
    }

    static func cancelled(_ operation: String) -> KubernetesError {
        KubernetesError(code: .cancelled, operation: operation, message: "the task was cancelled")
    }
}

extension KubernetesError: CallError {
    package var isTransient: Bool {
        switch self.code {
        case .throttled, .transient, .malformedResponse: true
        default: false
        }
    }

    package var isThrottling: Bool { self.code == .throttled }

    package var asCancellation: KubernetesError { .cancelled(self.operation) }
}
