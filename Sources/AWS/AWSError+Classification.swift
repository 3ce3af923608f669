import Calls

extension AWSError.Code {
    /// The kind of failure for what AWS answered: its word decides, then the status.
    ///
    /// Source: the lists of retryable codes in AWS's own clients, and the error pages of EC2, ELBv2 and Route 53.
    init(awsCode: String?, status: Int) {
        if let awsCode, let code = Self(word: awsCode) {
            self = code
            return
        }
        switch status {
        case 429: self = .throttled
        case 500, 502, 503, 504: self = .transient
        case 401: self = .credentials
        case 403: self = .accessDenied
        case 404: self = .notFound
        case 409, 412: self = .conflict
        case 400..<500: self = .invalid
        default: self = .other
        }
    }

    private init?(word: String) {
        if throttlingWords.contains(word) {
            self = .throttled
        } else if passingWords.contains(word) {
            self = .transient
        } else if oldKeyWords.contains(word) || clockWords.contains(word) || word == "IncompleteSignature" {
            self = .credentials
        } else if refusingWords.contains(word) {
            self = .accessDenied
        } else if conflictingWords.contains(word) || word.hasPrefix("Duplicate") {
            self = .conflict
        } else if word.hasSuffix("NotFound") || word.hasPrefix("NoSuch")
            || word == "ResourceNotFoundException"
        {
            self = .notFound
        } else if word.hasPrefix("TooMany") || word.hasSuffix("LimitExceeded") || word.hasSuffix("Limit") {
            self = .limitExceeded
        } else {
            return nil
        }
    }
}

extension AWSError {
    /// Whether signatures of a wrong time are refused with this word.
    var mayComeFromClock: Bool { clockWords.contains(self.awsCode ?? "") || self.awsCode == "AuthFailure" }

    /// Whether keys that were good once are refused with this word.
    var mayComeFromOldKeys: Bool { oldKeyWords.contains(self.awsCode ?? "") }

    /// Whether Route 53 is still at an earlier change of the same zone.
    var waitsForPriorRequest: Bool { self.awsCode == "PriorRequestNotComplete" }

    /// Whether the role that asks lacks a permission.
    var lacksPermission: Bool { permissionWords.contains(self.awsCode ?? "") }

    /// Whether the state that stands in the way passes by itself.
    var isPassingConflict: Bool { passingConflictWords.contains(self.awsCode ?? "") }
}

private let throttlingWords: Set<String> = [
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
    "RequestThrottled", "TooManyRequestsException", "ProvisionedThroughputExceededException",
    "TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded",
    "LimitExceededException", "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException",
    "SnapshotCreationPerVolumeRateExceeded",
]
private let passingWords: Set<String> = [
    "RequestTimeout", "RequestTimeoutException", "InternalError", "InternalFailure", "InternalServerError",
    "ServiceUnavailable", "Unavailable", "IDPCommunicationError",
]
private let oldKeyWords: Set<String> = [
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId",
    "UnrecognizedClientException", "AuthFailure",
]
private let clockWords: Set<String> = [
    "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException",
    "SignatureDoesNotMatch",
]
private let refusingWords: Set<String> = [
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired",
    "OperationNotPermitted", "InvalidIdentityToken", "InvalidIdentityTokenException",
]
private let permissionWords: Set<String> = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"]
private let conflictingWords: Set<String> = [
    "VolumeInUse", "IncorrectState", "ResourceInUse", "PriorityInUse", "InvalidSnapshot.InUse",
    "IdempotentParameterMismatch", "PreconditionFailed", "ConditionalRequestConflict",
    "ConcurrentSnapshotLimitExceeded",
]
private let passingConflictWords: Set<String> = [
    "VolumeInUse", "IncorrectState", "ResourceInUse", "PriorityInUse", "ConditionalRequestConflict",
    "ConcurrentSnapshotLimitExceeded",
]

extension AWSError: CallError {
    package var isTransient: Bool {
        switch self.code {
        case .throttled, .transient, .malformedResponse: true
        default: false
        }
    }

    package var isThrottling: Bool { self.code == .throttled }

    package var asCancellation: AWSError {
        AWSError(code: .cancelled, operation: self.operation, message: "the task was cancelled")
    }
}
