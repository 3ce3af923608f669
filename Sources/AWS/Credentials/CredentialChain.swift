import Calls
import HTTP
import Logging

/// The standard sources in their order; the first that is set up decides, for better or worse.
///
/// A source that is set up and fails ends the search: keys of somebody else, such as the node's, would be worse
/// than none.
struct CredentialChain: CredentialProvider {
    private let providers: [any CredentialProvider]

    init(configuration: AWSConfiguration, http: HTTPClient, logger: Logger) {
        let environment = configuration.environment
        self.providers = [
            EnvironmentCredentials(environment: environment),
            WebIdentityCredentials(configuration: configuration, http: http, logger: logger),
            ContainerCredentials(environment: environment, http: http, pause: configuration.retries.sleep),
            InstanceCredentials(environment: environment, http: http),
        ]
    }

    func credentials(deadline: ContinuousClock.Instant) async throws(AWSError) -> CredentialAnswer {
        var reasons: [String] = []
        for provider in self.providers {
            do throws(AWSError) {
                switch try await provider.credentials(deadline: deadline) {
                case .found(let credentials): return .found(credentials)
                case .absent(let reason): reasons.append(reason)
                }
            } catch {
                guard error.code != .cancelled else { throw error }
                let trail = reasons.map { "\($0); " }.joined()
                throw AWSError.credentials("\(trail)\(error.message)", underlying: error)
            }
        }
        return .absent(reasons.joined(separator: "; "))
    }
}
