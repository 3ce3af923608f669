import Foundation
import Fuzzing
import HTTP
import Testing

@testable import Kubernetes

@Suite struct KubernetesFuzzTests {
    private static let samples = [
        #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"gpu-dev-1","namespace":"gpu-dev","uid":"u","labels":{"#
            + #""app":"gpu-dev-pod"},"creationTimestamp":"2025-01-02T03:04:05Z","deletionTimestamp":null},"spec":{"#
            + #""nodeName":"n1","containers":[{"name":"gpu-dev","resources":{"requests":{"nvidia.com/gpu":"2"}}}],"#
            + #""initContainers":[{"name":"i","restartPolicy":"Always"}],"volumes":[{"name":"dev-home","#
            + #""awsElasticBlockStore":{"volumeID":"aws://us-east-2a/vol-1"}}]},"status":{"phase":"Running","#
            + #""conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"gpu-dev","#
            + #""restartCount":1,"state":{"running":{}},"lastState":{"terminated":{"reason":"OOMKilled","#
            + #""exitCode":137,"finishedAt":"2025-01-02T03:04:05.000001Z"}}}]}}"#,
        #"{"kind":"Node","metadata":{"name":"n1"},"spec":{"providerID":"aws:///us-east-2a/i-1","taints":["#
            + #"{"key":"k","effect":"NoSchedule"}]},"status":{"capacity":{"cpu":"47920m","memory":"1.5Gi"},"#
            + #""conditions":[{"type":"Ready","status":"Unknown"}]}}"#,
        #"{"kind":"Event","metadata":{"name":"e"},"reason":"FailedScheduling","involvedObject":{"kind":"Pod"},"#
            + #""lastTimestamp":"2025-01-02T03:04:05Z","eventTime":null,"series":{}}"#,
        #"{"kind":"Status","status":"Failure","reason":"TooManyRequests","details":{"retryAfterSeconds":1}}"#,
    ]
    private static let words = [
        "{", "}", "[", "]", "null", "\"", "\\u0000", "\\ud800", "1e999", "-1", "\"500m\"", "\"9E9999\"",
        "\"metadata\":", "\"items\":", "\"2025-13-45T99:99:99Z\"", "\"Ki\"", ",", ":",
    ]

    @Test func `objects of an API server are read or refused`() throws {
        try Fuzzer("Kubernetes objects", texts: Self.samples, words: Self.words).run { bytes in
            Self.reading { _ = try KubernetesClient.read(Pod.self, "Pod", bytes).isTerminating }
            Self.reading { _ = try KubernetesClient.read(Node.self, "Node", bytes).instanceID }
            Self.reading { _ = try KubernetesClient.read(Event.self, "Event", bytes) }
            let error = KubernetesError(
                HTTPResponse(status: 404, headers: ["Retry-After": "-1"], body: bytes),
                operation: "pods.get"
            )
            try hold(error.code != .notFound || error.reason == "NotFound", "absence without the word for it")
            try hold(error.retryAfter ?? .zero >= .zero, "a pause below zero")
        }
    }

    @Test func `amounts are read or refused, and never overflow`() throws {
        let samples = ["500m", "1.5Gi", "9223372036854775807", "-1E3", "0.000000001n", "12e-5"]
        let words = ["e", "E", "Ki", "Ei", "n", ".", "-", "+", "9999999999", "e999999999999", "0000000000"]
        try Fuzzer("quantities", texts: samples, words: words).run { bytes in
            guard let quantity = Quantity(String(decoding: bytes, as: UTF8.self)) else { return }
            try hold(quantity.whole.map { $0 == quantity.roundedUp } ?? true, "two values")
            _ = quantity + quantity - .zero
        }
    }

    @Test func `what arrives over a WebSocket is read or refused, however it is cut`() throws {
        let samples: [[UInt8]] = [
            [0x82, 0x05, 1, 0x48, 0x65, 0x6C, 0x6C, 0x89, 0x00, 0x8A, 0x01, 7, 0x88, 0x02, 0x03, 0xE8],
            [0x02, 0x02, 1, 2, 0x00, 0x01, 3, 0x80, 0x01, 4],
            [0x82, 0x7E, 0x01, 0x00] + [UInt8](repeating: 1, count: 256),
        ]
        try Fuzzer("WebSocket frames", samples: samples, words: ["\u{7F}", "\u{01}\u{00}"]).run { bytes in
            var (whole, cut) = (WebSocketReader(limit: 512), WebSocketReader(limit: 512))
            whole.add(bytes)
            let expected = Self.arrivals(&whole)
            var arrivals: [WebSocketReader.Arrival] = []
            for byte in bytes {
                cut.add([byte])
                let (more, isBroken) = Self.arrivals(&cut)
                arrivals += more
                if isBroken { break }
            }
            try hold(arrivals == expected.0, "it matters where the bytes are cut")
        }
    }

    @Test func `whatever a server says to an exec, the conversation ends in order`() throws {
        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope"
        let chunked = "HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnop\r\n0\r\n\r\n"
        let words = [
            "\r\n", "\r\n\r\n", "HTTP/1.1 101 ", "Content-Length: -1", "ffffffffffffffff", "0\r\n", ": ",
        ]
        try Fuzzer("exec answers", texts: [answer, chunked], words: words).run { bytes in
            let access = ClusterAccess(server: "https://h", tls: TLSOptions())
            var conversation = ExecConversation(
                APIRequest("pods.exec", .get, ["exec"]),
                to: access,
                limit: 64
            )
            _ = conversation.receive(bytes)
            do throws(KubernetesError) {
                _ = try conversation.result()
                throw KubernetesError(code: .other, operation: "", message: "a result without a handshake")
            } catch {
                try hold(error.operation == "pods.exec", "\(error)")
            }
        }
    }

    private static func arrivals(_ reader: inout WebSocketReader) -> ([WebSocketReader.Arrival], Bool) {
        var arrivals: [WebSocketReader.Arrival] = []
        do throws(WebSocketReader.Violation) {
            while let arrival = try reader.next() { arrivals.append(arrival) }
            return (arrivals, false)
        } catch {
            return (arrivals, true)
        }
    }

    private static func reading(_ body: () throws -> Void) {
        do { try body() } catch { _ = "\(DecodingProblem(error))" }
    }
}
