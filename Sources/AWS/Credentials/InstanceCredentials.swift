import HTTP

/// Keys of the instance's role from the metadata service, version 2 only.
struct InstanceCredentials: CredentialProvider {
    let environment: @Sendable (String) -> String?
    let http: HTTPClient

    func credentials(deadline: ContinuousClock.Instant) async throws(AWSError) -> CredentialAnswer {
        if self.environment("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" {
            return .absent("instance: AWS_EC2_METADATA_DISABLED is true")
        }
        let put = HTTPRequest(
            .put,
            self.url("/latest/api/token"),
            headers: ["X-aws-ec2-metadata-token-ttl-seconds": "21600"]
        )
        guard let answer = try await self.send(put, deadline), answer.status == 200 else {
            return .absent("instance: the metadata service gives no token")
        }
        let token = String(decoding: answer.body, as: UTF8.self)
        let path = "/latest/meta-data/iam/security-credentials/"
        guard let roles = try await self.send(self.get(path, token), deadline), roles.status == 200,
            let role = String(decoding: roles.body, as: UTF8.self).split(separator: "\n").first
        else { return .absent("instance: it has no role") }
        let rolePath = path + String(role).trimmingXMLSpace.percentEncoded()
        guard let keys = try await self.send(self.get(rolePath, token), deadline), keys.status == 200 else {
            throw AWSError.credentials("instance: no keys for its role")
        }
        return .found(try CredentialDocument.credentials(from: keys, of: "instance"))
    }

    private func url(_ path: String) -> String {
        var base = self.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
        while base.hasSuffix("/") { base.removeLast() }
        return base + path
    }

    private func get(_ path: String, _ token: String) -> HTTPRequest {
        HTTPRequest(.get, self.url(path), headers: ["X-aws-ec2-metadata-token": token])
    }

    /// One attempt of a second; nil where nobody answers, as on every machine that is no instance.
    private func send(
        _ request: HTTPRequest,
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> HTTPResponse? {
        do throws(HTTPError) {
            return try await self.http.send(request, within: min(.seconds(1), deadline.remaining))
        } catch {
            if error.code == .cancelled {
                throw AWSError.cancelled(AWSOperation(.ec2, "InstanceMetadata", .read))
            }
            return nil
        }
    }
}
