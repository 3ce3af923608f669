import AWS
import Fuzzing
import Platform
import Testing

@testable import Jobs
@testable import Reservations

@Suite struct ReservationFuzzTests {
    private static let words = [
        "\"preferred_name\":", "\"node_ip\":\"::1\"", "\"node_port\":",
        "\"expires_at\":\"2025-01-02T03:04:05Z\"", "null",
        "\\u0000", "\\ud800", "-", ".", "{", "}", "\"", "xn--", "ß", "İ", "ﬁ",
    ]

    @Test func `payloads of reservation jobs are as their rules say, or their faults are named`() throws {
        try Fuzzer("reservation payloads", samples: try Samples.jobs(), words: Self.words).run { bytes in
            guard let body = try? JobBody(bytes) else { return }
            try Self.reading {
                let payload = try MapDNS.Payload.shape.decode(body)
                try hold(1...65535 ~= payload.target.port, "the port is out of range")
                try hold(!payload.target.address.utf8.contains(0), "the address holds a NUL")
                try hold(Self.isTold(payload.target.address), "no address")
                _ = payload.target.expiry.rfc3339
                _ = payload.preferredName.flatMap { HostName(wish: $0.text) }
            }
            try Self.reading {
                let payload = try CreateTargetGroup.Payload.shape.decode(body)
                try Self.check(payload.host)
                try hold(1...253 ~= payload.pod.description.utf8.count, "the pod's length")
                _ = payload.expiry.rfc3339
            }
            try Self.reading {
                let payload = try TearDown.Payload.shape.decode(body)
                try hold(1...255 ~= payload.reservation.description.utf8.count, "the reservation's length")
                try hold((payload.reason?.text.unicodeScalars.count ?? 0) <= 1024, "the reason's length")
            }
            try Self.reading { _ = try RemovalPayload.shape.decode(body) }
            try Self.reading { _ = try Sweep.Payload.shape.decode(body) }
        }
    }

    @Test func `a history of any kind is read`() throws {
        let samples = [
            #"[{"status": "preparing", "timestamp": "2025-01-02T03:04:05Z"}, {"status": "active", "timestamp": 1e9}]"#,
            #"[{"container": "gpu-dev", "restart_count": 3}, 7, null, [], "text"]"#,
        ]
        try Fuzzer("histories", texts: samples, words: Self.words).run { bytes in
            let history = StatusHistory(String(decoding: bytes, as: UTF8.self))
            _ = history.time(of: .preparing)
            _ = history.hasNoted("gpu-dev", restarts: 3)
        }
    }

    @Test func `a host name is a label of RFC 1123, whatever was wished for`() throws {
        let samples = [
            "Alice Training", "a_b.c", "--x--y--", "héllo", "www", "12345", "日本語", "xn--bcher-kva",
        ]
        try Fuzzer("host names", texts: samples, words: Self.words).run { bytes in
            let wish = String(decoding: bytes, as: UTF8.self)
            if let host = HostName(wire: wish) { try Self.check(host) }
            guard let host = HostName(wish: wish) else { return }
            try Self.check(host)
            for suffix in ["2", "999", "alt"] {
                guard let numbered = host.with(suffix: suffix) else {
                    throw Violation("no name with \(suffix)")
                }
                try Self.check(numbered)
                try hold(numbered.description.hasSuffix("-" + suffix), "the suffix is cut")
            }
            for name in HostNameCandidates(wish: wish).prefix(3) { try Self.check(name) }
        }
    }

    private static func reading(_ read: () throws -> Void) throws {
        do { try read() } catch is Malformed {} catch let faults as PayloadFaults {
            try hold(!faults.faults.isEmpty, "refused without a reason")
        }
    }

    private static func check(_ host: HostName) throws {
        let bytes = Array(host.description.utf8)
        let hyphen = UInt8(ascii: "-")
        try hold(1...63 ~= bytes.count && bytes.first != hyphen && bytes.last != hyphen, "no label: \(host)")
        let isSpelled = bytes.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == hyphen
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        try hold(isSpelled, "another character in \(host)")
    }

    private static func isTold(_ address: String) -> Bool {
        address.utf8.allSatisfy { Unicode.Scalar($0).isASCII } && address.utf8.count <= 45
    }
}
