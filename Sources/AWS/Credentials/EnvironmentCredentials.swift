/// Keys from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
struct EnvironmentCredentials: CredentialProvider {
    let environment: @Sendable (String) -> String?

    func credentials(deadline: ContinuousClock.Instant) throws(AWSError) -> CredentialAnswer {
        switch (self.environment("AWS_ACCESS_KEY_ID"), self.environment("AWS_SECRET_ACCESS_KEY")) {
        case (let id?, let secret?):
            let token = self.environment("AWS_SESSION_TOKEN")
            return .found(AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token))
        case (nil, nil):
            return .absent("environment: AWS_ACCESS_KEY_ID is not set")
        case (.some, nil):
            throw AWSError.credentials("environment: AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not")
        case (nil, .some):
            throw AWSError.credentials("environment: AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not")
        }
    }
}

extension AWSError {
    static func credentials(_ message: String, underlying: (any Error)? = nil) -> AWSError {
        AWSError(
            code: .credentials,
            operation: "aws.credentials",
            message: message,
            underlying: underlying
        )
    }
}
