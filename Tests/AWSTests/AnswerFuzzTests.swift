import FoundationEssentials
import Fuzzing
import HTTP
import Testing
import XML

@testable import AWS

@Suite struct AnswerFuzzTests {
    private static let words = [
        "<", ">", "</", "/>", "&amp;", "&#0;", "&#x110000;", "&a;", "<!DOCTYPE a>", "<!ENTITY a 'b'>",
        "<![CDATA[", "]]>",
        "<?xml version='1.0' encoding='UTF-16'?>", "<?xml version='1.0' encoding='ISO-8859-1'?>",
        "<?xml version='1.0' encoding='UTF-7'?>", "xmlns:a='b'", "<item>", "</item>", "<size>", "<Priority>",
        "2016-01-21T20:08:28.000Z", "Encoded authorization failure message: x",
    ]

    @Test func `a document is read or refused, and every reader takes it or refuses it`() throws {
        try Fuzzer("AWS documents", samples: try Samples.aws(), words: Self.words).run { bytes in
            let root: XMLNode
            do throws(XMLError) { root = try XMLNode(document: bytes) } catch { return }
            try hold(root.depth <= 64, "deeper than 64 elements")
            // No reference and no encoding makes more than three bytes of one.
            try hold(root.size <= 3 * bytes.count, "the tree is larger than its document")
            Self.read(root)
        }
    }

    @Test func `the body of a failure becomes an error without secrets`() throws {
        let samples = try Samples.aws() + [Array(#"{"message":"Rate exceeded"}"#.utf8)]
        let operation = AWSOperation(.ec2, "DescribeVolumes", .read)
        try Fuzzer("AWS errors", samples: samples, words: Self.words).run { bytes in
            var source = ByteSource(bytes)
            var headers: HTTPHeaders = [:]
            let choice = source.byte()
            if choice & 1 == 1 { headers["x-amzn-ErrorType"] = source.text() }
            if choice & 2 == 2 { headers["Retry-After"] = String(source.number(Int64.self)) }
            if choice & 4 == 4 { headers["x-amz-retry-after"] = String(source.number(Int64.self)) }
            let status = choice & 8 == 8 ? 503 : 400
            let error = AWSError(
                HTTPResponse(status: status, headers: headers, body: bytes),
                operation: operation
            )
            let marker = "Encoded authorization failure message"
            try hold(
                error.message.utf8.count <= 3 * 2048 && !error.message.contains(marker),
                "too much is told"
            )
            _ = "\(error)"
            if let pause = error.retryAfter { try hold(pause >= .zero, "a pause below zero") }
        }
    }

    @Test func `documents of credentials are read or refused`() throws {
        let samples = [
            #"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","#
                + #""Expiration":"2017-05-17T15:09:54Z"}"#,
            #"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":null}"#,
        ]
        let words = [
            "{", "}", "\"Token\":", "\"Expiration\":\"9999-99-99T99:99:99Z\"", "null", "\"", "\\u0000", "\\",
        ]
        try Fuzzer("credential documents", texts: samples, words: words).run { bytes in
            let response = HTTPResponse(status: 200, headers: [:], body: bytes)
            do throws(AWSError) {
                let keys = try CredentialDocument.credentials(from: response, of: "instance")
                try? hold(!"\(keys)".contains("SecretAccessKey"), "")
            } catch {
                try hold(error.code == .credentials, "refused as \(error.code)")
            }
        }
    }

    @Test func `times are read or refused`() throws {
        let samples = [
            "2025-01-02T03:04:05.000Z", "2025-01-02T05:34:05.5+02:30", "1969-12-31T23:59:59-0330",
            "Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 29 Feb 2024 23:59:59 GMT",
        ]
        try Fuzzer("AWS times", texts: samples, words: ["T", "Z", "+", ":", ".", " GMT", "Jan", "-"]).run {
            bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            for date in [Date(iso8601: text), Date(httpDate: text)].compactMap({ $0 }) {
                try hold(date.timeIntervalSince1970.isFinite, "no time")
                _ = date.signatureTime
            }
        }
    }

    @Test func `names of records come out the same however often they are normalized`() throws {
        let samples = ["alice.example.com.", "\\052.example.com", "_port.x", "\\141\\056"]
        try Fuzzer("record names", texts: samples, words: ["\\", "\\056", "\\134", "\\777", "\\+12", "."]).run
        { bytes in
            let name = String(decoding: bytes, as: UTF8.self)
            let normal = RecordSet.normalized(name)
            try hold(normal.utf8.count <= 3 * name.utf8.count, "the name grew")
        }
    }

    @Test func `addresses of services are read or refused`() throws {
        let samples = [
            "https://ec2.us-east-1.amazonaws.com", "http://127.0.0.1:4566/prefix/",
            "http://[fd00:ec2::23]:80",
        ]
        try Fuzzer("endpoints", texts: samples, words: ["/", ":", "[", "]", "@", "?", "#", "http://", " "])
            .run { bytes in
                guard let endpoint = Endpoint(String(decoding: bytes, as: UTF8.self)) else { return }
                _ = endpoint.host
                try hold(
                    ["http", "https"].contains(endpoint.scheme) && !endpoint.authority.contains("@"),
                    "no endpoint"
                )
                try hold(
                    endpoint.pathPrefix.isEmpty || endpoint.pathPrefix.hasPrefix("/"),
                    "the path has no slash"
                )
            }
    }

    /// Has every reader of an answer look at every element.
    private static func read(_ node: XMLNode) {
        _ = try? Volume(node)
        _ = try? Snapshot(node)
        _ = VolumeAttachment(node)
        _ = try? TargetGroup(node)
        _ = try? HealthCheck(node)
        _ = try? TargetHealth(node)
        _ = try? ListenerRule(node)
        _ = ListenerRule.Condition(node)
        _ = try? RecordSetPage(node)
        _ = try? RecordSet(node)
        _ = try? ChangeInfo(node)
        _ = try? AutoScalingGroup(node)
        _ = try? AutoScalingGroup.Member(node)
        _ = try? node.tags("tagSet")
        _ = try? node.date("Expiration")
        for child in node.children { Self.read(child) }
    }
}

extension XMLNode {
    fileprivate var depth: Int { 1 + (self.children.map(\.depth).max() ?? 0) }

    fileprivate var size: Int {
        self.name.utf8.count + self.text.utf8.count + self.children.reduce(0) { $0 + $1.size }
    }
}
