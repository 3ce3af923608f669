import FoundationEssentials
import HTTP

extension KubernetesError {
    /// The error that an answer with a bad status holds.
    init(_ response: HTTPResponse, operation: String) {
        let status = try? JSONDecoder().decode(Status.self, from: Data(response.body))
        let answer = status.flatMap { $0.kind == "Status" ? $0 : nil }
        let asked =
            response.headers["Retry-After"].flatMap { RequestedPause(header: $0) }
            ?? answer?.details?.retryAfterSeconds.map { RequestedPause(seconds: $0) }
        self.init(
            code: Code(reason: answer?.reason, status: response.status, isOfServer: answer != nil),
            operation: operation,
            message: answer?.message?.withoutQueries ?? "status \(response.status)",
            reason: answer?.reason,
            status: response.status,
            retryAfter: asked?.duration
        )
    }

    /// What a server says that had agreed to run a command and then could not.
    init(_ status: Status, operation: String) {
        self.init(
            code: Code(reason: status.reason, status: status.code ?? 0, isOfServer: true),
            operation: operation,
            message: status.message?.withoutQueries ?? "the command could not be run",
            reason: status.reason
        )
    }

    /// No answer, or half of one.
    init(_ error: HTTPError, operation: String, deadlineHasPassed: Bool) {
        let code: Code =
            switch error.code {
            case .cancelled: .cancelled
            case .invalidURL: .configuration
            case .timedOut where deadlineHasPassed: .deadlineExceeded
            case .tooLarge: .malformedResponse
            case .resolveFailed, .connectionFailed, .connectionLost, .timedOut, .tlsFailed, .other: .transient
            }
        self.init(code: code, operation: operation, message: error.message, underlying: error)
    }
}

extension KubernetesError.Code {
    /// The kind of failure for what the server answered: its word decides, then the status.
    ///
    /// Without a `Status` it is some server on the way that refuses, which says nothing about the thing asked for.
    /// Source: Kubernetes API conventions, "HTTP Status codes", and `StatusReason` (meta/v1).
    init(reason: String?, status: Int, isOfServer: Bool) {
        if let reason, let code = codes[reason] {
            self = code
            return
        }
        switch status {
        case 429: self = .throttled
        case 401: self = .credentials
        case 500, 502, 503, 504: self = .transient
        case 400..<500 where !isOfServer: self = .malformedResponse
        case 403: self = .accessDenied
        case 409: self = .conflict
        case 410: self = .expired
        case 400..<500: self = .invalid
        default: self = .other
        }
    }
}

private let codes: [String: KubernetesError.Code] = [
    "Unauthorized": .credentials, "Forbidden": .accessDenied, "NotFound": .notFound,
    "AlreadyExists": .conflict, "Conflict": .conflict, "Gone": .expired, "Expired": .expired,
    "Invalid": .invalid, "BadRequest": .invalid, "MethodNotAllowed": .invalid, "NotAcceptable": .invalid,
    "RequestEntityTooLarge": .invalid, "UnsupportedMediaType": .invalid,
    "TooManyRequests": .throttled,
    "ServerTimeout": .transient, "Timeout": .transient, "InternalError": .transient,
    "ServiceUnavailable": .transient, "StoreReadError": .transient,
]

extension String {
    /// The sentence without what follows the question mark of a URL, and no longer than a reason should be.
    ///
    /// A server that cannot reach a kubelet quotes its whole request, in which every word of the command stands.
    fileprivate var withoutQueries: String {
        let short = self.replacing(/(https?:\/\/[^\s"?]*)\?[^\s"]*/) { "\($0.output.1)?…" }
        return short.count > 500 ? "\(short.prefix(500))…" : short
    }
}
