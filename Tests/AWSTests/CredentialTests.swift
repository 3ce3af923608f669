import Calls
import Foundation
import HTTP
import HTTPPeers
import Logging
import Synchronization
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(5))) struct CredentialTests {
    private static let document = """
        {"Code": "Success", "AccessKeyId": "AKIDDOC", "SecretAccessKey": "secret", "Token": "session",
         "Expiration": "2035-01-02T03:04:05Z"}
        """

    private func chain(_ environment: [String: String]) throws -> CredentialChain {
        var environment = environment
        environment["AWS_REGION"] = "eu-west-1"
        var configuration = try AWSConfiguration { [environment] in environment[$0] }
        configuration.retries.sleep = { _ in }
        return CredentialChain(
            configuration: configuration,
            http: TestAWS.http,
            logger: Logger(label: "test")
        )
    }

    private func found(_ environment: [String: String]) async throws -> AWSCredentials? {
        guard
            case .found(let keys) = try await self.chain(environment).credentials(deadline: .in(.seconds(20)))
        else { return nil }
        return keys
    }

    private func temporaryFile(_ text: String) throws -> String {
        let url = URL.temporaryDirectory.appending(path: "gpudev-\(UUID().uuidString)")
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path
    }

    @Test func `the environment comes first`() async throws {
        let keys = try await self.found([
            "AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent",
        ])
        #expect(keys == AWSCredentials(accessKeyID: "AKIDENV", secretAccessKey: "s", sessionToken: "t"))
    }

    @Test func `half of a pair of keys is an error, not the next source`() async throws {
        let error = await #expect(throws: AWSError.self) { try await self.found(["AWS_ACCESS_KEY_ID": "A"]) }
        #expect(error?.code == .credentials && error?.message.contains("AWS_SECRET_ACCESS_KEY") == true)
    }

    @Test func `a token file buys keys, and is read anew each time`() async throws {
        let answer = ScriptedPeer.Step(
            200,
            """
            <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
            <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDWEB</AccessKeyId>
            <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
            <Expiration>2035-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
            </AssumeRoleWithWebIdentityResponse>
            """
        )
        let expired = ScriptedPeer.Step(
            400,
            "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>"
        )
        let peer = try await ScriptedPeer([expired, answer])
        let file = try self.temporaryFile("token one\n")
        let keys = try await self.found([
            "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_ROLE_SESSION_NAME": "a/b c", "AWS_ENDPOINT_URL_STS": peer.url,
        ])
        #expect(keys?.accessKeyID == "AKIDWEB" && keys?.expiration == Date(iso8601: "2035-01-02T03:04:05Z"))
        let seen = try await peer.received()
        #expect(seen.count == 2 && seen[0].headers["authorization"] == nil)
        #expect(
            seen[0].body == """
                Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr\
                &RoleSessionName=a-b-c&WebIdentityToken=token%20one
                """
        )
    }

    @Test func `a web identity that fails does not become somebody else`() async throws {
        let error = await #expect(throws: AWSError.self) {
            try await self.found(["AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token", "AWS_ROLE_ARN": "r"])
        }
        #expect(
            error?.message == """
                environment: AWS_ACCESS_KEY_ID is not set; web identity: the token file /nonexistent/token cannot be read
                """
        )
    }

    @Test func `the agent of a container is asked with its token, three times at most`() async throws {
        let peer = try await ScriptedPeer([.init(500), .init(cut: .afterRequest), .init(200, Self.document)])
        let keys = try await self.found([
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(peer.url)/v1/credentials?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": try self.temporaryFile("pod token\n"),
        ])
        #expect(keys?.accessKeyID == "AKIDDOC" && keys?.sessionToken == "session")
        let seen = try #require(try await peer.received().last)
        #expect(seen.path == "/v1/credentials?x=1" && seen.headers["authorization"] == "pod token")
    }

    @Test(arguments: [
        "http://example.org/keys", "http://127.0.0.1.example.org/keys", "http://user@127.0.0.1/keys",
        "http://169.254.169.254/keys",
    ])
    func `no other host is asked for keys without TLS`(url: String) async throws {
        let error = await #expect(throws: AWSError.self) {
            try await self.found(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url])
        }
        #expect(error?.code == .credentials)
    }

    @Test func `an instance gives the keys of its role for a session token`() async throws {
        let peer = try await ScriptedPeer([
            .init(200, "imds-token"), .init(200, "the-role\n"), .init(200, Self.document),
        ])
        let keys = try await self.found(["AWS_EC2_METADATA_SERVICE_ENDPOINT": "\(peer.url)/"])
        #expect(keys?.accessKeyID == "AKIDDOC")
        let seen = try await peer.received()
        #expect(seen.map(\.method) == ["PUT", "GET", "GET"])
        #expect(seen[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        #expect(seen[2].path == "/latest/meta-data/iam/security-credentials/the-role")
        #expect(seen[2].headers["x-aws-ec2-metadata-token"] == "imds-token")
    }

    @Test func `where there are none every source says why`() async throws {
        let client = AWSClient(
            configuration: try AWSConfiguration {
                ["AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"][$0]
            },
            http: TestAWS.http,
            logger: Logger(label: "test")
        )
        let error = await #expect(throws: AWSError.self) { try await STSClient(client).callerIdentity() }
        #expect(
            error?.description == """
                sts.GetCallerIdentity credentials: aws.credentials: there are none: environment: AWS_ACCESS_KEY_ID is \
                not set; web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; container: neither \
                AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI is set; instance: AWS_EC2_METADATA_DISABLED is true
                """
        )
    }

    @Test func `printed credentials keep their secret`() {
        let keys = AWSCredentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "hush", sessionToken: "hush")
        var dumped = ""
        dump(keys, to: &dumped)
        #expect(!"\(keys) \(String(reflecting: keys)) \(dumped)".contains("hush"))
    }
}
