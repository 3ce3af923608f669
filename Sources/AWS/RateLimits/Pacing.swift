import Calls
import Synchronization

/// The limits that all calls of a client share: allowances and retry budgets by operation, clock offsets by host.
final class Pacing: Sendable {
    private struct State {
        var buckets: [String: TokenBucket] = [:]
        var budgets: [String: RetryBudget] = [:]
        var offsets: [String: Duration] = [:]
        var lastOffset = Duration.zero
    }

    private let state = Mutex(State())
    private let factor: Double

    /// - Parameter factor: How many times AWS's usual allowance this process may use.
    init(factor: Double) { self.factor = factor }

    /// How long a request has to wait, or nil if that is longer than `limit`.
    func reserve(_ operation: AWSOperation, within limit: Duration) -> Duration? {
        let now = ContinuousClock.now
        let full = TokenBucket(operation.rate, factor: self.factor, now: now)
        return self.state.withLock { state in
            state.buckets[operation.allowanceKey, default: full].reserve(at: now, within: limit)
        }
    }

    /// Whether more than half of what may go at once is left.
    func hasBurst(for operation: AWSOperation) -> Bool {
        let now = ContinuousClock.now
        return self.state.withLock { $0.buckets[operation.allowanceKey]?.hasBurst(at: now) ?? true }
    }

    func noteSuccess(of operation: AWSOperation, afterRetry: Bool) {
        self.state.withLock { state in
            state.budgets[operation.label, default: RetryBudget()].refill(afterRetry: afterRetry)
        }
    }

    func noteThrottling(of operation: AWSOperation) {
        let now = ContinuousClock.now
        self.state.withLock { $0.buckets[operation.allowanceKey]?.slowDown(at: now) }
    }

    /// Whether another attempt is affordable; pays for it if so.
    func payForRetry(of operation: AWSOperation, after error: AWSError) -> Bool {
        self.state.withLock { state in
            state.budgets[operation.label, default: RetryBudget()].pay(afterAnswer: error.status != nil)
        }
    }

    /// How far the clock of a host is ahead of ours.
    ///
    /// A host that has not answered yet is taken to agree with the last one that did, since it is our clock that is wrong:
    /// nobody would notice with a presigned URL.
    func clockOffset(of host: String) -> Duration {
        self.state.withLock { $0.offsets[host] ?? $0.lastOffset }
    }

    func setClockOffset(of host: String, to offset: Duration) {
        self.state.withLock { state in
            state.offsets[host] = offset
            state.lastOffset = offset
        }
    }
}

extension AWSOperation {
    /// AWS counts each operation for itself, so that one that is throttled need not slow the others down; Route 53
    /// counts all that an account does.
    fileprivate var allowanceKey: String { self.rate == .route53 ? self.service.rawValue : self.label }
}
