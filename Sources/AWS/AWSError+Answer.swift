import HTTP

extension AWSError {
    /// The error that an answer with a bad status holds.
    init(_ response: HTTPResponse, operation: AWSOperation) {
        let body = ErrorBody(response)
        let status = response.status
        var code = Code(awsCode: body.code, status: status)
        // Without a word of AWS it is some server on the way that refuses, which says nothing about the request.
        if body.code == nil, (400..<500).contains(status), status != 429 { code = .malformedResponse }
        // Some of these may have been carried out; AWS's own 503 says that the request was not taken.
        let isUncertain =
            code == .malformedResponse || code == .transient && (status != 503 || body.code == nil)
        if isUncertain, operation.effect == .write { code = .unknownOutcome }
        self.init(
            code: code,
            operation: operation.label,
            message: body.message ?? "status \(status)",
            awsCode: body.code,
            status: status,
            requestID: body.requestID ?? response.headers.requestID,
            messages: body.messages,
            retryAfter: response.headers.retryAfter
                ?? (body.code == "SnapshotCreationPerVolumeRateExceeded" ? .seconds(15) : nil)
        )
        if self.lacksPermission, !operation.permissions.isEmpty {
            self.message += " (it needs \(operation.permissions.joined(separator: ", ")))"
        }
    }

    /// No answer, or half of one.
    init(_ error: HTTPError, operation: AWSOperation, deadlineHasPassed: Bool) {
        self.init(
            code: Code(error, effect: operation.effect, deadlineHasPassed: deadlineHasPassed),
            operation: operation.label,
            message: error.message,
            underlying: error
        )
    }

    /// An answer that cannot be read; what it answered may have been carried out.
    init(_ error: MalformedAnswer, _ response: HTTPResponse, operation: AWSOperation) {
        self.init(
            code: operation.effect == .write ? .unknownOutcome : .malformedResponse,
            operation: operation.label,
            message: error.description,
            status: response.status,
            requestID: response.headers.requestID
        )
    }
}

extension AWSError.Code {
    fileprivate init(_ error: HTTPError, effect: AWSOperation.Effect, deadlineHasPassed: Bool) {
        switch error.code {
        case .cancelled: self = .cancelled
        case .invalidURL: self = .configuration
        case _ where error.requestWasSent && effect == .write: self = .unknownOutcome
        case .timedOut where deadlineHasPassed: self = .deadlineExceeded
        case .tooLarge: self = .malformedResponse
        case .resolveFailed, .connectionFailed, .connectionLost, .timedOut, .tlsFailed, .other:
            self = .transient
        }
    }
}

extension HTTPHeaders {
    fileprivate var requestID: String? {
        self["x-amzn-RequestId"] ?? self["x-amz-request-id"] ?? self["x-amzn-request-id"]
    }

    /// Milliseconds in AWS's own field, seconds in the standard one.
    fileprivate var retryAfter: Duration? {
        let own = self["x-amz-retry-after"].flatMap { RequestedPause(millisecondsHeader: $0) }
        return (own ?? self["Retry-After"].flatMap { RequestedPause(header: $0) })?.duration
    }
}
