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
        var state = RetryState(request.operation, self.configuration.retries)
        while true {
            try await self.waitForTurn(request.operation, deadline)
            switch await self.attempt(request, deadline: deadline, decode: decode) {
            case .success(let output):
                self.pacing.noteSuccess(of: request.operation, afterRetry: state.isRetrying)
                return output
            case .failure(let failure):
                try await self.prepareRetry(of: request, after: failure, &state, deadline)
            }
        }
    }

    /// Does what the decision after a failure asks for; throws if that is to give up.
    private func prepareRetry(
        of request: AWSRequest,
        after failure: AttemptFailure,
        _ state: inout RetryState,
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) {
        let error = failure.error
        if error.code == .throttled, !error.waitsForPriorRequest {
            self.pacing.noteThrottling(of: request.operation)
        }
        switch state.next(after: error, failure.clock) {
        case .giveUp:
            throw error
        case .refreshCredentials:
            self.credentials.discard(failure.credentials)
        case .correctClock(let offset):
            self.logger.warning("clock differs from that of AWS", metadata: ["aws.clock-offset": "\(offset)"])
            self.pacing.setClockOffset(of: self.endpoint(of: request).authority, to: offset)
        case .pause(let delay):
            guard self.pacing.payForRetry(of: request.operation, after: error) else { throw error }
            self.logger.debug("request to AWS is repeated", metadata: ["error.description": "\(error)"])
            try await self.pause(delay, before: deadline, orThrow: error)
        }
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
        try await self.pause(
            wait,
            before: deadline,
            orThrow: AWSError(
                code: .deadlineExceeded,
                operation: operation.label,
                message: "its turn comes too late"
            )
        )
    }

    /// Never sleeps past the deadline: throws at once what the caller would have to hear then.
    private func pause(
        _ delay: Duration,
        before deadline: ContinuousClock.Instant,
        orThrow error: AWSError
    ) async throws(AWSError) {
        guard delay < deadline.remaining else {
            var error = error
            error.retryAfter = max(delay, error.retryAfter ?? .zero)
            throw error
        }
        let operation = error.operation
        do {
            try await self.configuration.retries.pause(delay)
        } catch {
            throw AWSError(code: .cancelled, operation: operation, message: "the task was cancelled")
        }
    }
}

extension AWSError {
    static func cancelled(_ operation: AWSOperation) -> AWSError {
        AWSError(code: .cancelled, operation: operation.label, message: "the task was cancelled")
    }
}
