import AWS
import Foundation
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(5))) struct S3AndSTSClientTests {
    @Test(arguments: ["plain.txt", "a b/ü+%2F=&*~/./x", "double//slash/"])
    func `an object with an odd key is written and read`(key: String) async throws {
        let s3 = S3Client(try TestAWS.client())
        let bucket = "gpudev-" + TestAWS.uniqueName()
        _ = try await TestAWS.boto(
            "s3",
            "create_bucket",
            ["Bucket": .string(bucket), "CreateBucketConfiguration": ["LocationConstraint": "eu-west-1"]]
        )
        let object = S3Object(bucket: bucket, key: key)
        let body = Array("listing\nof ünïcode".utf8)
        try await s3.putObject(object, body: body, contentType: "text/plain", metadata: ["pod-name": "p 1"])
        #expect(try await s3.object(object) == body)
        #expect(try await s3.object(S3Object(bucket: bucket, key: "absent")) == nil)
        let seen = try await TestAWS.boto(
            "s3",
            "head_object",
            ["Bucket": .string(bucket), "Key": .string(key)]
        )
        #expect(seen["ContentType"]?.text == "text/plain")
        #expect(seen["Metadata"]?["pod-name"]?.text == "p 1")
    }

    @Test func `the caller is who boto3 says`() async throws {
        let identity = try await STSClient(try TestAWS.client()).callerIdentity()
        let seen = try await TestAWS.boto("sts", "get_caller_identity", [:])
        #expect(identity.account == seen["Account"]?.text)
        #expect(identity.arn == seen["Arn"]?.text)
    }
}
