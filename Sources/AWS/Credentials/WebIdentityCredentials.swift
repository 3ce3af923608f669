import FoundationEssentials
import HTTP
import Logging
import XML

/// Keys of a role in exchange for a token that a file holds, as EKS mounts it (`AWS_WEB_IDENTITY_TOKEN_FILE`,
/// `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME`).
///
/// The file is read anew each time, since its writer replaces the token well before it expires.
struct WebIdentityCredentials: CredentialProvider {
    private let configuration: AWSConfiguration
    private let sts: AWSClient

    init(configuration: AWSConfiguration, http: HTTPClient, logger: Logger) {
        self.configuration = configuration
        // The operation is not signed, so this client never asks for keys.
        self.sts = AWSClient(
            configuration: configuration,
            http: http,
            logger: logger,
            credentials: NoCredentials()
        )
    }

    func credentials(deadline: ContinuousClock.Instant) async throws(AWSError) -> CredentialAnswer {
        let environment = self.configuration.environment
        guard let path = environment("AWS_WEB_IDENTITY_TOKEN_FILE") else {
            return .absent("web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set")
        }
        guard let role = environment("AWS_ROLE_ARN") else {
            throw AWSError.credentials("web identity: AWS_ROLE_ARN is not set")
        }
        do throws(AWSError) {
            return .found(try await self.assume(role, tokenFile: path, deadline: deadline))
        } catch {
            guard error.awsCode == "ExpiredTokenException" else { throw error }
            // The file may have been replaced between reading and asking.
            return .found(try await self.assume(role, tokenFile: path, deadline: deadline))
        }
    }

    private func assume(
        _ role: String,
        tokenFile path: String,
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> AWSCredentials {
        var parameters = FormParameters()
        parameters.add("RoleArn", role)
        parameters.add("RoleSessionName", self.sessionName)
        parameters.add("WebIdentityToken", try readToken(path, for: "web identity"))
        let operation = AWSOperation(.sts, "AssumeRoleWithWebIdentity", .read, isSigned: false)
        return try await self.sts.form(operation, parameters, deadline: deadline) {
            node throws(MalformedAnswer) in
            guard let keys = node.child("Credentials") else {
                throw MalformedAnswer("no Credentials in the answer")
            }
            return AWSCredentials(
                accessKeyID: try keys.text("AccessKeyId"),
                secretAccessKey: try keys.text("SecretAccessKey"),
                sessionToken: try keys.text("SessionToken"),
                expiration: try keys.date("Expiration")
            )
        }
    }

    /// At most 64 characters of those that STS takes.
    private var sessionName: String {
        let name =
            self.configuration.environment("AWS_ROLE_SESSION_NAME")
            ?? "gpudev-worker-\(ProcessInfo.processInfo.hostName)"
        let kept = name.unicodeScalars.map { scalar -> Character in
            let isTaken =
                scalar.isASCII
                && (scalar.properties.isAlphabetic || "0123456789_+=,.@-".unicodeScalars.contains(scalar))
            return isTaken ? Character(scalar) : "-"
        }
        return String(kept.prefix(64))
    }
}

/// Reads a token that another program keeps fresh; the white space around it is not part of it.
func readToken(_ path: String, for source: String) throws(AWSError) -> String {
    guard let bytes = FileManager.default.contents(atPath: path) else {
        throw AWSError.credentials("\(source): the token file \(path) cannot be read")
    }
    let token = String(decoding: bytes, as: UTF8.self).trimmingXMLSpace
    guard !token.isEmpty else { throw AWSError.credentials("\(source): the token file \(path) is empty") }
    return token
}

private struct NoCredentials: CredentialProvider {
    func credentials(deadline: ContinuousClock.Instant) -> CredentialAnswer { .absent("none are used") }
}
