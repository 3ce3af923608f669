import Calls
import FoundationEssentials
import HTTP

extension AWSClient {
    /// Signs, sends and reads, once.
    func attempt<Output: Sendable>(
        _ request: AWSRequest,
        deadline: ContinuousClock.Instant,
        decode: @escaping @Sendable (HTTPResponse) throws(MalformedAnswer) -> Output
    ) async -> Result<Output, AttemptFailure<AWSError, CredentialRemedy>> {
        var used: AWSCredentials?
        let assumed = self.pacing.clockOffset(of: self.endpoint(of: request).authority)
        do throws(AWSError) {
            if request.operation.isSigned { used = try await self.credentials.current(deadline: deadline) }
            let record = CallRecord(of: request, at: self.endpoint(of: request), self.tracer)
            let response: HTTPResponse
            do throws(AWSError) {
                response = try await self.exchange(request, used, deadline)
            } catch {
                record.end(with: error)
                throw error
            }
            let refusal = self.error(in: response, to: request)
            record.end(with: refusal, response)
            if let error = refusal {
                let clock = self.skew(of: response).map { ClockReading(skew: $0, assumed: assumed) }
                return .failure(
                    AttemptFailure(error, of: request.operation, clock: clock, credentials: used)
                )
            }
            return .success(try await self.read(response, to: request.operation, decode))
        } catch {
            let error = error.about(request.operation)
            return .failure(AttemptFailure(error, of: request.operation, credentials: used))
        }
    }

    func endpoint(of request: AWSRequest) -> Endpoint {
        guard let endpoint = self.configuration.endpoints[request.operation.service] else {
            preconditionFailure("the configuration has an endpoint for every service")
        }
        return endpoint
    }

    /// The time at a host, as far as its responses have said.
    func time(at host: String) -> Date {
        self.configuration.now().addingTimeInterval(self.pacing.clockOffset(of: host).inSeconds)
    }

    /// The request as it is signed: with the path and the host of its endpoint.
    func signable(_ request: AWSRequest) -> SignableRequest {
        let endpoint = self.endpoint(of: request)
        let path = request.path.map { "/" + $0.percentEncoded() }.joined()
        return SignableRequest(
            method: request.method.rawValue,
            path: endpoint.pathPrefix + (path.isEmpty ? "/" : path),
            query: request.query,
            headers: [("Host", endpoint.authority)] + request.headers,
            bodyDigest: request.body.sha256Hex
        )
    }

    /// The signature's parameters for a service of this configuration.
    func signature(for service: AWSService, _ credentials: AWSCredentials) -> SignatureV4 {
        SignatureV4(
            credentials: credentials,
            region: self.configuration.signingRegion(for: service),
            service: service.signingName
        )
    }

    private func exchange(
        _ request: AWSRequest,
        _ credentials: AWSCredentials?,
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> HTTPResponse {
        let endpoint = self.endpoint(of: request)
        var signable = self.signable(request)
        if let credentials {
            signable = self.signature(for: request.operation.service, credentials)
                .signed(signable, at: self.time(at: endpoint.authority))
        }
        var http = HTTPRequest(
            request.method,
            signable.url(at: endpoint),
            headers: HTTPHeaders(signable.headers),
            body: request.body,
            firstByteTimeout: request.operation.effect == .read ? .seconds(10) : .seconds(30)
        )
        http.mayBeRepeated = request.operation.effect != .write
        do throws(HTTPError) {
            return try await self.http.send(http, within: deadline.remaining)
        } catch {
            throw AWSError(
                error,
                operation: request.operation,
                deadlineHasPassed: deadline.remaining <= .zero
            )
        }
    }

    /// The error of a bad status, and of S3's `<Error>` under a good one.
    private func error(in response: HTTPResponse, to request: AWSRequest) -> AWSError? {
        guard (200..<300).contains(response.status) else {
            return AWSError(response, operation: request.operation)
        }
        guard request.operation.service == .s3, request.method != .get, !response.body.isEmpty,
            ErrorBody(response).code != nil
        else { return nil }
        var error = AWSError(response, operation: request.operation)
        if error.code == .other { error.code = .transient }
        return error
    }

    /// Large answers are read away from the caller's executor, which may be a loop that must not be held up.
    private func read<Output: Sendable>(
        _ response: HTTPResponse,
        to operation: AWSOperation,
        _ decode: @escaping @Sendable (HTTPResponse) throws(MalformedAnswer) -> Output
    ) async throws(AWSError) -> Output {
        let work: @Sendable () -> Result<Output, MalformedAnswer> = {
            Result { () throws(MalformedAnswer) in try decode(response) }
        }
        let isLarge = response.body.count > 64 << 10
        let result =
            isLarge
            ? await withTaskExecutorPreference(globalConcurrentExecutor) { work() }
            : work()
        do throws(MalformedAnswer) {
            return try result.get()
        } catch {
            throw AWSError(error, response, operation: operation)
        }
    }

    /// How far the clock of the server is ahead.
    private func skew(of response: HTTPResponse) -> Duration? {
        guard let date = response.headers["Date"].flatMap({ Date(httpDate: $0) }) else { return nil }
        return .seconds(date.timeIntervalSince(self.configuration.now()))
    }
}

extension SignableRequest {
    /// The URL as it is sent: exactly what was signed.
    func url(at endpoint: Endpoint) -> String {
        let query = self.canonicalQuery
        return "\(endpoint.scheme)://\(endpoint.authority)\(self.path)\(query.isEmpty ? "" : "?\(query)")"
    }
}

extension AWSError {
    /// The error with the name of the operation that it stopped; what it is about itself goes to the front of the text.
    fileprivate func about(_ operation: AWSOperation) -> AWSError {
        guard self.operation != operation.label else { return self }
        var error = self
        error.message = "\(self.operation): \(self.message)"
        error.operation = operation.label
        return error
    }
}
