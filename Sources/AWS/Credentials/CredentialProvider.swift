/// A source of credentials.
package protocol CredentialProvider: Sendable {
    /// Asks the source anew.
    ///
    /// - Parameter deadline: When to give up.
    /// - Returns: The keys, or why this source is not meant to be used here.
    /// - Throws: When the source is meant to be used and fails.
    func credentials(deadline: ContinuousClock.Instant) async throws(AWSError) -> CredentialAnswer
}

/// What a source of credentials says.
package enum CredentialAnswer: Sendable {
    case found(AWSCredentials)
    /// It is not set up; the text says what is missing.
    case absent(String)
}

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
