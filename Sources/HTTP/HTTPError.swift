/// Why there is no complete answer to a request.
package struct HTTPError: Error, Sendable {
    /// The kinds of failure.
    package enum Code: String, Sendable {
        case invalidURL, resolveFailed, connectionFailed, tlsFailed
        /// The connection broke off, or what came was not HTTP.
        case connectionLost
        case timedOut, tooLarge, cancelled, other
    }

    package let code: Code
    /// Method and host, such as `POST ec2.eu-west-1.amazonaws.com`; never a query or a header.
    package let operation: String
    package let message: String
    /// Whether any part of the request went out: if not, the server has certainly not acted on it.
    package let requestWasSent: Bool

    /// Whether the same request may well succeed later.
    package var isRetryable: Bool {
        switch self.code {
        case .resolveFailed, .connectionFailed, .connectionLost, .timedOut: true
        case .invalidURL, .tlsFailed, .tooLarge, .cancelled, .other: false
        }
    }
}

extension HTTPError: CustomStringConvertible {
    package var description: String {
        "\(self.operation) \(self.code.rawValue): \(self.message)"
    }
}
