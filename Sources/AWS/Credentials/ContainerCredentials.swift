import HTTP

/// Keys from the agent of a container: ECS, or EKS Pod Identity (`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or
/// `…_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN` or `…_TOKEN_FILE`).
struct ContainerCredentials: CredentialProvider {
    let environment: @Sendable (String) -> String?
    let http: HTTPClient
    let pause: @Sendable (Duration) async throws -> Void

    func credentials(deadline: ContinuousClock.Instant) async throws(AWSError) -> CredentialAnswer {
        guard let url = try self.url() else {
            return .absent("container: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI is set")
        }
        var headers: HTTPHeaders = ["Accept": "application/json"]
        headers["Authorization"] = try self.token()
        let request = HTTPRequest(.get, url, headers: headers)
        return .found(
            try CredentialDocument.credentials(
                from: try await self.send(request, deadline),
                of: "container"
            )
        )
    }

    private func url() throws(AWSError) -> String? {
        if let path = self.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            return "http://169.254.170.2" + (path.hasPrefix("/") ? path : "/" + path)
        }
        guard let url = self.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return nil }
        let base = url.prefix { $0 != "?" }
        guard let endpoint = Endpoint(String(base)) else {
            throw AWSError.credentials("container: AWS_CONTAINER_CREDENTIALS_FULL_URI is no usable URL")
        }
        guard endpoint.scheme == "https" || endpoint.isTrustedWithoutTLS else {
            throw AWSError.credentials("container: the host \(endpoint.host) may be asked over https only")
        }
        return url
    }

    private func token() throws(AWSError) -> String? {
        guard let path = self.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
            return self.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        }
        return try readToken(path, for: "container")
    }

    /// Two seconds an attempt, three attempts.
    private func send(
        _ request: HTTPRequest,
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> HTTPResponse {
        var failure = AWSError.credentials("container: no answer")
        for attempt in 1...3 {
            do throws(HTTPError) {
                let response = try await self.http.send(request, within: min(.seconds(2), deadline.remaining))
                if response.status == 200 { return response }
                failure = .credentials("container: the agent answered with status \(response.status)")
                if response.status < 500 { break }
            } catch {
                if error.code == .cancelled { throw AWSError.cancelled(.containerCredentials) }
                failure = .credentials("container: no answer from the agent", underlying: error)
            }
            if attempt < 3 { try? await self.pause(.milliseconds(100 * attempt)) }
        }
        throw failure
    }
}

extension Endpoint {
    /// Loopback and the addresses at which the agents of ECS and EKS answer.
    fileprivate var isTrustedWithoutTLS: Bool {
        let hosts: Set = ["localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"]
        return hosts.contains(self.host) || self.isIPv4Loopback
    }

    private var isIPv4Loopback: Bool {
        let numbers = self.host.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }
}

extension AWSOperation {
    static let containerCredentials = AWSOperation(.sts, "ContainerCredentials", .read)
}
