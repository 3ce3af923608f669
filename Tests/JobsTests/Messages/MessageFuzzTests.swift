import Foundation
import Fuzzing
import Postgres
import RabbitMQ
import Testing

@testable import Jobs

@Suite struct MessageFuzzTests {
    /// Inputs from which deliveries are drawn.
    private static let drawn: [[UInt8]] = (1...16).map { seed in
        var random = SplitMix64(seed: UInt64(seed))
        return (0..<400).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private static let now = Date(timeIntervalSince1970: 1_735_787_045)

    @Test func `a delivery becomes a job or is malformed, and can be buried either way`() throws {
        try Fuzzer("envelopes", samples: Self.drawn).run { bytes in
            var source = ByteSource(bytes)
            let delivery = source.delivery()
            let envelope: Envelope
            do throws(Malformed) {
                envelope = try Envelope(delivery)
            } catch {
                let messages = DeadLettering(error, of: delivery, in: .ofTests).messages()
                try hold(!messages.isEmpty, "a malformed message has no letter")
                return
            }
            try hold(envelope.replayCount >= 0, "a replay count below zero")
            let death = FinalFailure(.exhausted, error: String(repeating: "ü", count: 4096), attempts: 5)
            let messages = DeadLettering(death, of: envelope, number: 1, in: .ofTests).messages()
            for message in messages + [envelope.message(forTurn: 1)] {
                let hasNUL = try message.insertion().parameters.contains { "\($0)".utf8.contains(0) }
                try hold(!hasNUL, "PostgreSQL cannot hold what the outbox would keep")
            }
        }
    }

    @Test func `a dead letter is read whatever its headers are, and goes out again as it came`() throws {
        try Fuzzer("dead letters", samples: Self.drawn).run { bytes in
            var source = ByteSource(bytes)
            let delivery = source.delivery()
            let letter = DeadLetter(delivery, in: "gpudev.disks.dead", of: .ofTests)
            _ = letter.deadAt?.rfc3339
            let replay = letter.replay(by: "bob", at: Self.now)
            try hold(replay.body == delivery.message.body, "the body changed")
            try hold(replay.properties.headers["x-dead-reason"] == nil, "a header of death is left")
            let count = replay.properties.headers[DeadLetterHeader.replayCount]?.integer ?? 0
            try hold(1...Int64(Int32.max) ~= count, "a ledger cannot hold \(count) replays")
            try hold(count == letter.replayCount + 1, "the replay was not counted")
        }
    }

    @Test func `a letter that a death wrote says what the death said`() throws {
        try Fuzzer("deaths", samples: Self.drawn).run { bytes in
            var source = ByteSource(bytes)
            let delivery = source.delivery()
            let death = FinalFailure(.rejected, code: source.text(), error: source.text(), attempts: 3)
            let buried = death.deadLetter(
                for: delivery.message,
                exchange: delivery.exchange,
                routingKey: delivery.routingKey,
                at: Self.now
            )
            let letter = DeadLetter(
                buried,
                from: "gpudev.dead",
                routingKey: "x",
                in: "gpudev.disks.dead",
                of: .ofTests
            )
            try hold(letter.reason == "rejected" && letter.code == death.code, "another reason")
            try hold(death.error.hasPrefix(letter.error) && letter.attempts == 3, "another error")
            try hold(
                letter.exchange == delivery.exchange && letter.routingKey == delivery.routingKey,
                "moved"
            )
            try hold(letter.deadAt == Self.now, "another time")
        }
    }

    @Test func `headers come back from the outbox as they went in`() throws {
        try Fuzzer("stored headers", samples: Self.drawn).run { bytes in
            var source = ByteSource(bytes)
            let json = try StoredHeaders.json(source.table())
            let back = try StoredHeaders.json(try StoredHeaders.table(fromJSON: json))
            try hold(back == json, "the headers came back as others")
        }
    }

    @Test func `text that holds no headers is refused`() throws {
        var source = ByteSource(Self.drawn[0])
        let samples = [try StoredHeaders.json(source.table()), #"[["a","S","b"],["c","A",[["I",1],["V"]]]]"#]
        let words = [
            "[", "]", "\"F\"", "\"A\"", "\"S64\"", ",", "\"t\"", "true", "null", "{}", "\"D\"", "\"x\"",
        ]
        try Fuzzer("stored headers as text", texts: samples, words: words).run { bytes in
            do {
                let table = try StoredHeaders.table(fromJSON: String(decoding: bytes, as: UTF8.self))
                let json = try StoredHeaders.json(table)
                try hold(try StoredHeaders.json(StoredHeaders.table(fromJSON: json)) == json, "changed")
            } catch is DecodingError {}
        }
    }

    @Test func `a body that is no JSON is malformed`() throws {
        let words = [
            "{", "}", "[", "]", "\"", "\\u0000", "\\ud800", "\\", "null", "true", ":", ",", "e", "\u{0}",
        ]
        try Fuzzer("job bodies", samples: try Samples.jobs(), words: words).run { bytes in
            do {
                _ = try JobBody(bytes)
                try hold(JSONGrammar.accepts(bytes), "this is no JSON")
                try hold(JSONGrammar.deepest(bytes) <= deepestJobBody, "too deep")
            } catch is Malformed {}
        }
    }

    /// Foundation lets more pass for JSON, and where both read a field they read the same.
    @Test func `fields are read as by Foundation's decoder`() throws {
        let words = [
            "{", "}", "\"a\":", "\"b\"", "\\ud83d\\ude00", "\\n", "1.0", "-0", "1e2", "true", "null", ",",
            ":",
        ]
        let samples = [
            #"{"a": "x", "b": 1}"#, #"{"a": "\ud83d\ude00\"", "b": 1.50e1, "c": [{}, [null, true]]}"#,
        ]
        try Fuzzer("fields", texts: samples, words: words).run { bytes in
            guard let body = try? JobBody(bytes), body.isObject else { return }
            // It reads no object with a name that is half of a surrogate pair.
            guard let theirs = try? JSONDecoder().decode(Fields.self, from: Data(bytes)) else { return }
            try hold(body["a"].flatMap { String($0, in: bytes) } == theirs.text, "another text")
            try hold(body["b"].flatMap { Int($0, in: bytes) } == theirs.number, "another number")
            try hold(body["c"].flatMap { Bool($0, in: bytes) } == theirs.truth, "another truth")
        }
    }

    @Test func `times of messages are read or refused`() throws {
        let samples = [
            "2025-01-02T03:04:05.678Z", "2025-01-02t03:04:05z", "2025-01-02T05:34:05+02:30",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
        ]
        try Fuzzer("RFC 3339", texts: samples, words: ["T", "Z", "+", "-", ":", ".", "99"]).run { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let moment = Moment(wire: text) else { return }
            try hold(Date(rfc3339: moment.date.rfc3339) != nil, "a time that was read cannot be written")
        }
    }

    @Test func `a line of a file is a job that PostgreSQL is told as it was written, or at fault`() throws {
        let samples = [
            #"{"kind":"disk.create","payload":{"user_id":"alice","disk_name":"home"}}"#,
            #"{"kind":"disk.create","payload":{},"job_id":"0b9f2a34-7d9c-4e6b-8c55-3c1d7a0e4f11","run_at":"2025-01-02T03:04:05Z"}"#,
            #"{"payload":{"a":[1,{"b":"}"}]},"unique_key":"\u00e9\"","kind":"x.y","traceparent":"00-1-2-03"}"#,
        ]
        let words = [
            "{", "}", "[", ":", ",", "\"", "\\u0000", "\\ud800", "\"kind\"", "\"payload\":{}",
            "\"unique_key\":\"k\"",
        ]
        try Fuzzer("lines", texts: samples, words: words).run { bytes in
            guard let request = try? JobRequest(line: bytes), let names = try? JobBody(bytes).names else {
                return
            }
            // Of two members of one name Foundation may take the other.
            guard Set(names).count == names.count else { return }
            // Nor does it take half of a surrogate pair, or a number of any size.
            guard let line = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] else {
                return
            }
            let array = try JSONSerialization.jsonObject(with: Data(JobRequest.array(of: [request]).utf8))
            let told = (array as? [[String: Any]])?.first ?? [:]
            try hold(
                NSDictionary(dictionary: told["payload"] as? [String: Any] ?? [:])
                    .isEqual(line["payload"]),
                "the payload changed"
            )
            for name in ["kind", "unique_key", "run_at"] {
                try hold(told[name] as? String == line[name] as? String, "\(name) changed")
            }
            try hold(told.count == line.count, "a member was added or left out")
        }
    }

    private struct Fields: Decodable {
        let text: String?
        let number: Int?
        let truth: Bool?

        private enum Name: String, CodingKey { case a, b, c }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Name.self)
            self.text = try? fields.decode(String.self, forKey: .a)
            self.number = try? fields.decode(Int.self, forKey: .b)
            self.truth = try? fields.decode(Bool.self, forKey: .c)
        }
    }
}
