import Calls
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
        try await self.retry(until: deadline) {
            await self.attempt(request, deadline: deadline, decode: decode)
        }
    }

    /// Calls `attempt` as often as it takes and is allowed.
    func retry<Output: Sendable>(
        until deadline: ContinuousClock.Instant,
        _ attempt: () async -> Result<Output, AttemptFailure<KubernetesError, AccessRemedy>>
    ) async throws(KubernetesError) -> Output {
        try await RetryLoop(self.retries, until: deadline).run { _ in
            await attempt()
        } remedy: { remedy in
            self.access.discard(remedy.access, because: remedy.complaint)
        } mayRetry: { error in
            self.logger.debug(
                "request to Kubernetes is repeated",
                metadata: ["error": "\(error)"]
            )
            return true
        }
    }
}
