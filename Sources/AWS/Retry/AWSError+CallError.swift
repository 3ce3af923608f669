import Calls

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
