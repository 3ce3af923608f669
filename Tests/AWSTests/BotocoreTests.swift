import Foundation
import HTTP
import HTTPPeers
import Testing

@testable import AWS

/// Our signatures against those that botocore makes over the same requests.
@Suite(.timeLimit(.minutes(5))) struct BotocoreTests {
    private struct Order: Encodable {
        var kind = "header"
        var service: String
        var region = "eu-west-1"
        var method = "GET"
        var url: String
        var headers: [String: String] = [:]
        var body = ""
        var token: String?
        var id = "AKIDEXAMPLE"
        var secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        var date = "20240229T235959Z"
        var expires = 60
    }

    private struct Answer: Decodable {
        let headers: [String: String]
        let url: String
    }

    /// Odd bytes in path, query, headers and body, with and without a session token.
    private static let shapes: [(service: String, path: [String], query: [(String, String)], body: String)] =
        [
            ("ec2", [], [], "Action=CreateTags&Tag.1.Value=%C3%BC%20%2A~"),
            ("elasticloadbalancing", [], [("b", "2"), ("a", "1"), ("a", "0"), ("ä", " +/%")], ""),
            ("route53", ["2013-04-01", "hostedzone", "Z1", "rrset", ""], [], "<a>ü</a>"),
            (
                "route53", ["2013-04-01", "hostedzone", "Z1", "rrset"],
                [("name", "*.x.org."), ("type", "A")], ""
            ),
            ("elasticloadbalancing", [], [("b", "2"), ("a", "1"), ("ä", " +/%")], ""),
            ("eks", ["clusters", "a b~c"], [], ""),
            ("eks", ["clusters", "ü%2F(1)"], [("x", "")], ""),
            ("s3", ["bucket", "a b", "", "ü+%2F=&*~", "."], [("list-type", "2"), ("prefix", "a/b c")], ""),
            ("s3", ["bucket", "key"], [], "the body"),
            ("sts", [], [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")], ""),
        ]

    @Test(arguments: [nil, "token/with+odd==characters"])
    func `headers are signed as botocore signs them`(token: String?) async throws {
        try await self.compare(token: token, kind: "header") { ours, theirs, _ in
            let authorization = ours.headers.last { $0.0 == "Authorization" }?.1
            #expect(authorization == theirs.headers["authorization"])
        }
    }

    @Test(arguments: [nil, "token/with+odd==characters"])
    func `URLs are presigned as botocore presigns them`(token: String?) async throws {
        try await self.compare(token: token, kind: "query") { ours, theirs, endpoint in
            let query = { (url: String) in Set(url.split(separator: "?").last?.split(separator: "&") ?? []) }
            #expect(query(ours.url(at: endpoint)) == query(theirs.url))
        }
    }

    private func compare(
        token: String?,
        kind: String,
        _ check: (SignableRequest, Answer, Endpoint) throws -> Void
    ) async throws {
        let endpoint = try #require(Endpoint("https://aws.example.org:8443"))
        var orders: [Order] = []
        var requests: [SignableRequest] = []
        // To presign, botocore would move a body to the query, and drops all but the last value of a name.
        let shapes = Self.shapes.filter { shape in
            let names = shape.query.map(\.0)
            return kind == "header" || (shape.body.isEmpty && Set(names).count == names.count)
        }
        for shape in shapes {
            let request = SignableRequest(
                method: shape.body.isEmpty ? "GET" : "POST",
                path: "/" + shape.path.map { $0.percentEncoded() }.joined(separator: "/"),
                query: shape.query,
                headers: [
                    ("Host", endpoint.authority), ("X-Odd", "  a   b "), ("Content-Type", "text/plain"),
                ],
                bodyDigest: Array(shape.body.utf8).sha256Hex
            )
            requests.append(request)
            orders.append(
                Order(
                    kind: kind,
                    service: shape.service,
                    method: request.method,
                    url: request.url(at: endpoint),
                    headers: ["X-Odd": "  a   b ", "Content-Type": "text/plain"],
                    body: shape.body,
                    token: token
                )
            )
        }
        let answers = try JSONDecoder().decode(
            [Answer].self,
            from: await Python.run(TestAWS.peer("sign.py"), input: orders)
        )
        let date = try #require(Date(iso8601: "2024-02-29T23:59:59Z"))
        for ((order, request), answer) in zip(zip(orders, requests), answers) {
            let signer = SignatureV4(
                credentials: AWSCredentials(
                    accessKeyID: order.id,
                    secretAccessKey: order.secret,
                    sessionToken: token
                ),
                region: order.region,
                service: order.service
            )
            let ours =
                kind == "header"
                ? signer.signed(request, at: date)
                : signer.presigned(request, at: date, validFor: .seconds(60))
            try check(ours, answer, endpoint)
        }
        #expect(answers.count == shapes.count)
    }
}
