import FoundationEssentials
import HTTP

extension KubernetesError {
    /// The error that an answer with a bad status holds.
    init(_ response: HTTPResponse, operation: String) {
        let status = try? JSONDecoder().decode(Status.self, from: Data(response.body))
        let answer = status.flatMap { $0.kind == "Status" ? $0 : nil }
        let asked = response.headers["Retry-After"].flatMap { Int($0) } ?? answer?.details?.retryAfterSeconds
        self.init(
            code: Code(reason: answer?.reason, status: response.status, isOfServer: answer != nil),
            operation: operation,
            message: answer?.message ?? "status \(response.status)",
            reason: answer?.reason,
            status: response.status,
            retryAfter: asked.map { .seconds(Swift.max(0, $0)) }
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
