import Calls
import FoundationEssentials
package import HTTP
package import Logging
package import Tracing

/// What the clients of single services share: connections, credentials, limits, retries.
package final class AWSClient: Sendable {
    let configuration: AWSConfiguration
    let http: HTTPClient
    let logger: Logger
    let tracer: (any Tracer)?
    let credentials: CredentialCache
    let pacing: Pacing

    /// A client with the standard chain of credentials: environment, web identity, container, instance.
    ///
    /// - Parameters:
    ///   - configuration: Region and endpoints.
    ///   - http: Carries all requests; the caller shuts it down.
    ///   - logger: Gets retries at `debug` and trouble with credentials or the clock at `warning`.
    ///   - tracer: Gets a span for each request of a task whose trace is followed.
    package convenience init(
        configuration: AWSConfiguration,
        http: HTTPClient,
        logger: Logger,
        tracer: (any Tracer)? = nil
    ) {
        let chain = CredentialChain(configuration: configuration, http: http, logger: logger)
        self.init(
            configuration: configuration,
            http: http,
            logger: logger,
            tracer: tracer,
            credentials: chain
        )
    }

    /// A client with a source of credentials of its own.
    package init(
        configuration: AWSConfiguration,
        http: HTTPClient,
        logger: Logger,
        tracer: (any Tracer)? = nil,
        credentials: any CredentialProvider
    ) {
        self.configuration = configuration
        self.pacing = Pacing(factor: configuration.rateFactor)
        self.http = http
        self.logger = logger
        self.tracer = tracer
        self.credentials = CredentialCache(credentials, now: configuration.now, logger: logger)
    }

    /// Sends a request, as often as it takes and is allowed, whose answer need not be read.
    @discardableResult
    func send(_ request: AWSRequest, deadline: ContinuousClock.Instant) async throws(AWSError) -> HTTPResponse
    {
        try await self.send(request, deadline: deadline) { $0 }
    }

    /// Sends a request, as often as it takes and is allowed, until an answer could be read.
    func send<Output: Sendable>(
        _ request: AWSRequest,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable (HTTPResponse) throws(MalformedAnswer) -> Output
    ) async throws(AWSError) -> Output {
        try await RetryLoop(self.configuration.retries, until: deadline).run { isRetry in
            let result = await self.attemptInTurn(request, deadline: deadline, decode: decode)
            if case .success = result { self.pacing.noteSuccess(of: request.operation, afterRetry: isRetry) }
            return result
        } remedy: { remedy in
            self.apply(remedy, to: request)
        } mayRetry: { error in
            self.payForRetry(of: request.operation, after: error)
        }
    }

    /// Waits for the operation's share of the request rate, then signs, sends and reads, once.
    private func attemptInTurn<Output: Sendable>(
        _ request: AWSRequest,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable (HTTPResponse) throws(MalformedAnswer) -> Output
    ) async -> Result<Output, AttemptFailure<AWSError, CredentialRemedy>> {
        do throws(AWSError) {
            try await self.waitForTurn(request.operation, deadline)
        } catch {
            return .failure(AttemptFailure(error, mostAttempts: 1))
        }
        let result = await self.attempt(request, deadline: deadline, decode: decode)
        if case .failure(let failure) = result, failure.error.isThrottling,
            !failure.error.waitsForPriorRequest
        {
            self.pacing.noteThrottling(of: request.operation)
        }
        return result
    }

    private func apply(_ remedy: CredentialRemedy, to request: AWSRequest) {
        switch remedy {
        case .renew(let refused):
            self.credentials.discard(refused)
        case .correctClock(let offset):
            self.logger.warning("clock differs from that of AWS", metadata: ["aws.clock-offset": "\(offset)"])
            self.pacing.setClockOffset(of: self.endpoint(of: request).authority, to: offset)
        }
    }

    /// Whether another attempt is affordable; pays for it if so.
    private func payForRetry(of operation: AWSOperation, after error: AWSError) -> Bool {
        guard self.pacing.payForRetry(of: operation, after: error) else { return false }
        self.logger.debug("request to AWS is repeated", metadata: ["error": "\(error)"])
        return true
    }

    /// Waits for the operation's share of the request rate.
    private func waitForTurn(
        _ operation: AWSOperation,
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) {
        if Task.isCancelled { throw AWSError.cancelled(operation) }
        guard deadline.remaining > .zero else {
            throw AWSError(
                code: .deadlineExceeded,
                operation: operation.label,
                message: "no time was left to send it"
            )
        }
        guard let wait = self.pacing.reserve(operation, within: deadline.remaining) else {
            throw AWSError(
                code: .throttled,
                operation: operation.label,
                message: "our own limit of requests leaves no turn before the deadline",
                retryAfter: .seconds(5)
            )
        }
        guard wait > .zero else { return }
        try await self.configuration.retries.pause(
            wait,
            before: deadline,
            orThrow: AWSError(
                code: .deadlineExceeded,
                operation: operation.label,
                message: "its turn comes too late"
            )
        )
    }
}

extension AWSError {
    static func cancelled(_ operation: AWSOperation) -> AWSError {
        AWSError(code: .cancelled, operation: operation.label, message: "the task was cancelled")
    }
}
