import FoundationEssentials
import HTTPPeers
import Testing

@testable import AWS

/// Expected values: the worked examples of the AWS General Reference (Signature Version 4 test suite and IAM
/// ListUsers) and of the Amazon S3 API Reference (signature calculations in the header and in query parameters).
@Suite struct SignatureV4Tests {
    private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private static func signature(_ service: String, secret: String, id: String) -> SignatureV4 {
        SignatureV4(
            credentials: AWSCredentials(accessKeyID: id, secretAccessKey: secret),
            region: "us-east-1",
            service: service
        )
    }

    private static func date(_ text: String) throws -> Date { try #require(Date(iso8601: text)) }

    private func authorization(_ request: SignableRequest) -> String {
        request.headers.last { $0.0 == "Authorization" }?.1 ?? ""
    }

    @Test func `the first request of the test suite`() throws {
        let signer = Self.signature(
            "service",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            id: "AKIDEXAMPLE"
        )
        let request = SignableRequest(
            method: "GET",
            path: "/",
            query: [],
            headers: [("Host", "example.amazonaws.com")],
            bodyDigest: Self.empty
        )
        #expect(
            self.authorization(signer.signed(request, at: try Self.date("2015-08-30T12:36:00Z"))) == """
                AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                SignedHeaders=host;x-amz-date, \
                Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31
                """
        )
    }

    @Test func `IAM ListUsers`() throws {
        let signer = Self.signature(
            "iam",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            id: "AKIDEXAMPLE"
        )
        let request = SignableRequest(
            method: "GET",
            path: "/",
            query: [("Version", "2010-05-08"), ("Action", "ListUsers")],
            headers: [
                ("Host", "iam.amazonaws.com"),
                ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ],
            bodyDigest: Self.empty
        )
        let signed = signer.signed(request, at: try Self.date("2015-08-30T12:36:00Z"))
        #expect(
            self.authorization(signed) == """
                AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                SignedHeaders=content-type;host;x-amz-date, \
                Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7
                """
        )
    }

    private static let s3 = signature(
        "s3",
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        id: "AKIAIOSFODNN7EXAMPLE"
    )
    private static let bucket = ("Host", "examplebucket.s3.amazonaws.com")

    @Test(arguments: [
        (
            SignableRequest(
                method: "GET",
                path: "/test.txt",
                query: [],
                headers: [bucket, ("Range", "bytes=0-9")],
                bodyDigest: empty
            ),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        ),
        (
            SignableRequest(
                method: "PUT",
                path: "/test%24file.text",
                query: [],
                headers: [
                    bucket, ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                bodyDigest: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        ),
        (
            SignableRequest(
                method: "GET",
                path: "/",
                query: [("lifecycle", "")],
                headers: [bucket],
                bodyDigest: empty
            ),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        ),
        (
            SignableRequest(
                method: "GET",
                path: "/",
                query: [("max-keys", "2"), ("prefix", "J")],
                headers: [bucket],
                bodyDigest: empty
            ),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ),
    ])
    func `the four requests of the S3 reference`(request: SignableRequest, signature: String) throws {
        let signed = Self.s3.signed(request, at: try Self.date("2013-05-24T00:00:00Z"))
        #expect(self.authorization(signed).hasSuffix("Signature=\(signature)"))
    }

    @Test func `the presigned URL of the S3 reference`() throws {
        let request = SignableRequest(
            method: "GET",
            path: "/test.txt",
            query: [],
            headers: [Self.bucket],
            bodyDigest: Self.empty
        )
        let signed = Self.s3.presigned(
            request,
            at: try Self.date("2013-05-24T00:00:00Z"),
            validFor: .seconds(86_400)
        )
        let endpoint = try #require(Endpoint("https://examplebucket.s3.amazonaws.com"))
        #expect(
            signed.url(at: endpoint) == """
                https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
                &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
                &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404\
                &X-Amz-SignedHeaders=host
                """
        )
    }
}
