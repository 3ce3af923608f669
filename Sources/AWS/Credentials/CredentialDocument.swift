import FoundationEssentials
import HTTP

/// The JSON in which containers and instances get their keys.
struct CredentialDocument: Decodable {
    let AccessKeyId: String
    let SecretAccessKey: String
    let Token: String?
    let Expiration: String?

    static func credentials(from response: HTTPResponse, of source: String) throws(AWSError) -> AWSCredentials
    {
        guard let document = try? JSONDecoder().decode(Self.self, from: Data(response.body)) else {
            throw AWSError.credentials("\(source): the answer holds no keys")
        }
        return AWSCredentials(
            accessKeyID: document.AccessKeyId,
            secretAccessKey: document.SecretAccessKey,
            sessionToken: document.Token,
            expiration: document.Expiration.flatMap { Date(iso8601: $0) }
        )
    }
}
