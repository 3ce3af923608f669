import Calls

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
