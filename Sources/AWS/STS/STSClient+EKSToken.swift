package import FoundationEssentials
import HTTP

extension STSClient {
    /// A bearer token for the API server of an EKS cluster, and when to have a new one.
    ///
    /// It is a presigned URL of GetCallerIdentity that names the cluster in the signed header `x-k8s-aws-id`; it is
    /// good for 15 minutes, so the renewal falls at 14, or a minute before the credentials end that signed it.
    ///
    /// - Parameters:
    ///   - cluster: The name of the cluster.
    ///   - deadline: When to give up getting credentials.
    /// - Returns: The token, which is as secret as a password, and the time at which to ask again.
    /// - Throws: When there are no credentials, or the token is longer than EKS takes.
    package func eksToken(
        cluster: String,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> (token: String, renewal: Date) {
        let request = AWSRequest(
            AWSOperation(.sts, "GetCallerIdentity", .read),
            method: .get,
            query: [("Action", "GetCallerIdentity"), ("Version", AWSService.sts.apiVersion)],
            headers: [("x-k8s-aws-id", cluster)]
        )
        let credentials = try await self.client.credentials.current(deadline: deadline)
        let endpoint = self.client.endpoint(of: request)
        let now = self.client.time(at: endpoint.authority)
        let url = self.client.signature(for: .sts, credentials)
            .presigned(self.client.signable(request), at: now, validFor: .seconds(60)).url(at: endpoint)
        let token = "k8s-aws-v1." + Data(url.utf8).base64URL
        guard token.utf8.count <= 4096 else {
            throw AWSError(
                code: .credentials,
                operation: "sts.eksToken",
                message:
                    "the token has \(token.utf8.count) bytes, EKS takes 4096: the session token is too long"
            )
        }
        let renewal = self.client.configuration.now().addingTimeInterval(14 * 60)
        return (token, min(renewal, credentials.expiration?.addingTimeInterval(-60) ?? renewal))
    }
}

extension Data {
    /// Base64 in the alphabet for URLs, without padding. (RFC 4648, section 5.)
    fileprivate var base64URL: String {
        self.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=",
            with: ""
        )
    }
}
