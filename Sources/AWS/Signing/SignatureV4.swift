import Crypto
import FoundationEssentials

/// Signature Version 4: in the header `Authorization`, or in the query of a presigned URL.
///
/// Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request".
struct SignatureV4: Sendable {
    let credentials: AWSCredentials
    let region: String
    /// The signing name of the service, such as `elasticloadbalancing`.
    let service: String

    /// S3 signs the path as it is and always sends the digest of the body.
    private var isS3: Bool { self.service == "s3" }

    /// The request with `X-Amz-Date`, the session token where there is one, and `Authorization`.
    func signed(_ request: SignableRequest, at date: Date) -> SignableRequest {
        var request = request
        let time = date.signatureTime
        request.headers.append(("X-Amz-Date", time))
        if let token = self.credentials.sessionToken {
            request.headers.append(("X-Amz-Security-Token", token))
        }
        if self.isS3 { request.headers.append(("X-Amz-Content-SHA256", request.bodyDigest)) }
        let authorization = """
            AWS4-HMAC-SHA256 Credential=\(self.credentials.accessKeyID)/\(self.scope(time)), \
            SignedHeaders=\(request.signedHeaderNames), Signature=\(self.signature(of: request, time))
            """
        request.headers.append(("Authorization", authorization))
        return request
    }

    /// The request with the signature in its query; the headers it has, `host` at least, must be sent with it.
    func presigned(_ request: SignableRequest, at date: Date, validFor lifetime: Duration) -> SignableRequest
    {
        let time = date.signatureTime
        var request = SignableRequest(
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
            bodyDigest: self.isS3 ? "UNSIGNED-PAYLOAD" : request.bodyDigest
        )
        request.query += [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", "\(self.credentials.accessKeyID)/\(self.scope(time))"),
            ("X-Amz-Date", time),
            ("X-Amz-Expires", String(lifetime.components.seconds)),
            ("X-Amz-SignedHeaders", request.signedHeaderNames),
        ]
        if let token = self.credentials.sessionToken { request.query.append(("X-Amz-Security-Token", token)) }
        request.query.append(("X-Amz-Signature", self.signature(of: request, time)))
        return request
    }

    private func scope(_ time: String) -> String {
        "\(time.prefix(8))/\(self.region)/\(self.service)/aws4_request"
    }

    private func signature(of request: SignableRequest, _ time: String) -> String {
        let text = """
            AWS4-HMAC-SHA256
            \(time)
            \(self.scope(time))
            \(request.canonical(encodesPathTwice: !self.isS3).sha256Hex)
            """
        return Self.authenticate(text, key: self.key(for: time)).hexadecimal
    }

    private func key(for time: String) -> [UInt8] {
        let secret = Array("AWS4\(self.credentials.secretAccessKey)".utf8)
        return [String(time.prefix(8)), self.region, self.service, "aws4_request"].reduce(secret) {
            key,
            part in
            Self.authenticate(part, key: key)
        }
    }

    private static func authenticate(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }
}
