import AWS
import Jobs
import Kubernetes

/// What the engine needs to know of a failure of AWS; where both modules meet.
extension AWSError: DescribedFailure {
    package var failureCode: String { self.awsCode ?? self.code.rawValue }
    package var isWorthAnotherTry: Bool { self.isRetryable }
    package var waitBeforeNextTry: Duration? { self.retryAfter }
}

/// What the engine needs to know of a failure of Kubernetes; where both modules meet.
extension KubernetesError: DescribedFailure {
    package var failureCode: String { self.reason ?? self.code.rawValue }
    package var isWorthAnotherTry: Bool { self.isRetryable }
    package var waitBeforeNextTry: Duration? { self.retryAfter }
}
