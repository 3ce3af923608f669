/// The part of the Security Token Service that says who we are.
package struct STSClient: Sendable {
    let client: AWSClient

    /// A client that shares connections, credentials and limits with others of `client`.
    package init(_ client: AWSClient) {
        self.client = client
    }

    /// Whose credentials the client uses; needs no permission.
    package func callerIdentity(
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> CallerIdentity {
        let operation = AWSOperation(.sts, "GetCallerIdentity", .read)
        return try await self.client.form(operation, FormParameters(), deadline: deadline) {
            node throws(MalformedAnswer) in
            CallerIdentity(
                account: try node.text("Account"),
                arn: try node.text("Arn"),
                userID: try node.text("UserId")
            )
        }
    }
}

/// Whose credentials these are.
package struct CallerIdentity: Sendable, Hashable {
    package let account: String
    package let arn: String
    package let userID: String
}
