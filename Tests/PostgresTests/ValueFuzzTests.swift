import Foundation
import Fuzzing
import Testing

@testable import Postgres

@Suite struct ValueFuzzTests {
    private static let samples = [
        "42", "-9223372036854775808", "9223372036854775807", "t", "f", "0.1", "-Infinity", "NaN", "5e-324",
        "0b9f2a34-7d9c-4e6b-8c55-3c1d7a0e4f11", "2026-01-02 03:04:05.678901+00",
        "294276-12-31 23:59:59.999999+00",
        "4713-01-01 00:00:00+00 BC", "2026-01-02", "5874897-12-31", "infinity",
        "1970-01-01 00:00:00-15:59:59",
        "2026-01-02 03:04:05", "\\x0001feff", "{a,\"b c\",\"\\\"\",NULL}", "{1,-2,3}", "{{1,2},{3,4}}",
        "[0:1]={1,2}",
        "{t,f}", "{\"2026-01-02 03:04:05+00\"}", "{}",
    ]
    private static let words = [
        "{", "}", "\"", "\\", ",", "NULL", "\\x", "999999-", "-01-01", " ", "+", ":", ".",
    ]

    private static let types: [PostgresType] = [.unknown, .bytea]

    @Test func `a UUID is read as Foundation reads it, and written so again`() throws {
        let samples = ["0b9f2a34-7d9c-4e6b-8c55-3c1d7a0e4f11", "0B9F2A34-7D9C-4E6B-8C55-3C1D7A0E4F11"]
        try Fuzzer("UUIDs", texts: samples, words: ["-", "g", "A", "f", "0", "é"]).run { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            // Foundation takes some texts besides that no UUID is written as.
            let known = UUID(uuidString: text).flatMap {
                $0.uuidString.lowercased() == text.lowercased() ? $0 : nil
            }
            let uuid = UUID(text: text)
            try hold(uuid == known, "Foundation reads it otherwise")
            try hold(uuid.map { $0.text == text.lowercased() } ?? true, "it is written otherwise")
        }
    }

    @Test func `text of any form is read as a value or refused, and a value comes back`() throws {
        try Fuzzer("PostgreSQL values", texts: Self.samples, words: Self.words).run { bytes in
            for type in Self.types {
                try Self.check(String.self, bytes, type)
                try Self.check(Int.self, bytes, type)
                try Self.check(Int64.self, bytes, type)
                try Self.check(Bool.self, bytes, type)
                try Self.check(Double.self, bytes, type) { $0 == $1 || ($0.isNaN && $1.isNaN) }
                try Self.check(UUID.self, bytes, type)
                try Self.check([String].self, bytes, type)
                try Self.check([Int].self, bytes, type)
                try Self.check([Bool].self, bytes, type)
                try Self.check([UUID].self, bytes, type)
                _ = [Double](postgresText: bytes.span, type: type)
                _ = [Date](postgresText: bytes.span, type: type)
                _ = Data(postgresText: bytes.span, type: type)
            }
        }
    }

    @Test func `bytes come back as they are written`() throws {
        try Fuzzer("PostgreSQL bytea", texts: Self.samples, words: Self.words).run { bytes in
            let text = Array(("\\x" + HexText.encode(bytes)).utf8)
            try hold([UInt8](postgresText: text.span, type: .bytea) == bytes, "the bytes came back as others")
            guard let read = HexText.decode(bytes.span) else { return }
            try hold("\\x" + HexText.encode(read) == String(decoding: bytes, as: UTF8.self), "read as others")
        }
    }

    @Test func `times are read or refused, and come back to the microsecond`() throws {
        try Fuzzer("PostgreSQL times", texts: Self.samples, words: Self.words).run { bytes in
            guard let time = Timestamp(bytes.span) else { return }
            guard -62_135_596_800_000_000...253_402_300_799_000_000 ~= time.microseconds else {
                _ = Timestamp(time.date)
                return
            }
            try hold(Timestamp(Array(time.text.utf8).span) == time, "\(time.text) came back as another time")
            let offset = abs(Timestamp(time.date).microseconds - time.microseconds)
            try hold(offset <= 16, "a date is \(offset) microseconds off")
        }
    }

    private static func check<Value: PostgresBindable & PostgresReadable & Equatable>(
        _ type: Value.Type,
        _ bytes: [UInt8],
        _ column: PostgresType,
        isSame: (Value, Value) -> Bool = { $0 == $1 }
    ) throws {
        guard let value = Value(postgresText: bytes.span, type: column) else { return }
        guard case .text(let text) = value.postgresValue.storage,
            let back = Value(postgresText: Array(text.utf8).span, type: column)
        else { throw Violation("a \(type) that was read cannot be written") }
        try hold(isSame(value, back), "a \(type) came back as another")
    }
}
