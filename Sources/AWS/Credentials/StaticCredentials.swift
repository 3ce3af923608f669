/// Keys that are known from the start.
package struct StaticCredentials: CredentialProvider {
    private let credentials: AWSCredentials

    /// Always answers with these keys.
    package init(_ credentials: AWSCredentials) {
        self.credentials = credentials
    }

    /// The keys.
    package func credentials(deadline: ContinuousClock.Instant) -> CredentialAnswer {
        .found(self.credentials)
    }
}
