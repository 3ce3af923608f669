import FoundationEssentials
package import HTTP
package import Logging
package import Tracing

/// A client for the API server of one cluster: the few resources that the platform's jobs look at or remove.
///
/// Any task may use it at any time. Calls are repeated after failures of the moment; all of them can be, except
/// `execute`. A refused token is renewed once a call.
package struct KubernetesClient: Sendable {
    /// Where the pods and services of reservations are.
    package let namespace: String
    let access: AccessCache
    let http: HTTPClient
    let logger: Logger
    let tracer: (any Tracer)?
    var retries = RetryPolicy()

    /// A client of a cluster.
    ///
    /// - Parameters:
    ///   - access: Finds the server and the key to it.
    ///   - namespace: Where the pods and services of reservations are.
    ///   - http: Carries all requests; the caller shuts it down.
    ///   - logger: Gets retries at `debug` and trouble with tokens at `warning`.
    ///   - tracer: Gets a span for each request of a task whose trace is followed.
    package init(
        access: any AccessProvider,
        namespace: String,
        http: HTTPClient,
        logger: Logger,
        tracer: (any Tracer)? = nil
    ) {
        self.access = AccessCache(access, logger: logger)
        self.namespace = namespace
        self.http = http
        self.logger = logger
        self.tracer = tracer
    }

    /// Sends a request, as often as it takes and is allowed, whose answer need not be read.
    func send(_ request: APIRequest, deadline: ContinuousClock.Instant) async throws(KubernetesError) {
        _ = try await self.send(request, deadline: deadline) { _ in }
    }

    /// Sends a request, as often as it takes and is allowed, until an answer could be read.
    func send<Output: Sendable>(
        _ request: APIRequest,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable ([UInt8]) throws -> Output
    ) async throws(KubernetesError) -> Output {
        var state = RetryState(self.retries)
        while true {
            switch await self.attempt(request, deadline: deadline, decode: decode) {
            case .success(let output): return output
            case .failure(let failure): try await self.prepareRetry(after: failure, &state, deadline)
            }
        }
    }

    /// Does what the decision after a failure asks for; throws if that is to give up.
    func prepareRetry(
        after failure: AttemptFailure,
        _ state: inout RetryState,
        _ deadline: ContinuousClock.Instant
    ) async throws(KubernetesError) {
        let error = failure.error
        switch state.next(after: failure) {
        case .giveUp:
            throw error
        case .renewAccess(let complaint):
            self.access.discard(failure.access, because: complaint)
        case .pause(let delay):
            self.logger.debug(
                "request to Kubernetes is repeated",
                metadata: ["error.description": "\(error)"]
            )
            try await self.pause(delay, before: deadline, orThrow: error)
        }
    }

    /// Never sleeps past the deadline: throws at once what the caller would have to hear then.
    private func pause(
        _ delay: Duration,
        before deadline: ContinuousClock.Instant,
        orThrow error: KubernetesError
    ) async throws(KubernetesError) {
        guard delay < deadline.remaining else {
            var error = error
            error.retryAfter = max(delay, error.retryAfter ?? .zero)
            throw error
        }
        let operation = error.operation
        do {
            try await self.retries.pause(delay)
        } catch {
            throw KubernetesError.cancelled(operation)
        }
    }
}
