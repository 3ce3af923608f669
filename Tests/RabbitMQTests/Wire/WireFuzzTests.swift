import Fuzzing
import Testing

@testable import RabbitMQ

@Suite struct WireFuzzTests {
    private static let frame = 131_072

    private static let table: FieldTable = [
        "bool": true, "int8": .int8(-1), "uint16": .uint16(9), "int32": .int32(7), "int64": .int64(1 << 40),
        "double": .double(0.5), "decimal": .decimal(scale: 2, value: 314), "text": "snöw",
        "opaque": .opaqueString([0xFF]),
        "bytes": .bytes([0, 1]), "time": .timestamp(1_700_000_000), "void": .void,
        "x-death": .array([
            .table(["count": 3, "reason": "rejected", "routing-keys": .array(["disk.create"])])
        ]),
    ]

    @Test func `a table comes back from the wire as it was written`() throws {
        try Fuzzer("AMQP tables", samples: Self.drawn).run { bytes in
            var source = ByteSource(bytes)
            let table = source.table()
            let properties = MessageProperties(headers: table)
            let message = OutgoingMessage(Message(properties: properties, body: []), to: "", routingKey: "")
            guard message.fault(frameMax: Self.frame) == nil else { return }
            guard let wire = WireForm.bytes(of: table, limit: Self.frame) else {
                throw Violation("a table that may be sent cannot be written")
            }
            guard let back = WireForm.table(from: wire) else {
                throw Violation("what was written cannot be read")
            }
            try hold(back.isSame(as: table), "the table came back as another")
        }
    }

    @Test func `properties come back from the wire as they were written`() throws {
        try Fuzzer("AMQP properties", samples: Self.drawn).run { bytes in
            var source = ByteSource(bytes)
            let delivery = source.delivery()
            let message = OutgoingMessage(
                delivery.message,
                to: delivery.exchange,
                routingKey: delivery.routingKey
            )
            guard message.fault(frameMax: Self.frame) == nil else { return }
            guard let wire = WireForm.bytes(of: delivery.message.properties, limit: Self.frame),
                var back = WireForm.properties(from: wire)
            else { throw Violation("what may be sent cannot be written or read") }
            var properties = delivery.message.properties
            try hold(back.headers.isSame(as: properties.headers), "the headers came back as others")
            (back.headers, properties.headers) = ([:], [:])
            try hold(back == properties, "the properties came back as others")
        }
    }

    @Test func `bytes that are no table are refused, and what is read can be written again`() throws {
        let wire = try #require(WireForm.bytes(of: Self.table, limit: Self.frame))
        try Fuzzer("AMQP table bytes", samples: [wire, [0, 0, 0, 0]], words: Self.fields).run { bytes in
            guard let table = WireForm.table(from: bytes) else { return }
            let message = OutgoingMessage(
                Message(properties: MessageProperties(headers: table), body: []),
                to: "",
                routingKey: ""
            )
            guard message.fault(frameMax: Self.frame) == nil else { return }
            guard
                let again = WireForm.bytes(of: table, limit: Self.frame).flatMap({ WireForm.table(from: $0) })
            else { throw Violation("what was read cannot be written") }
            try hold(again.isSame(as: table), "the table came back as another")
        }
    }

    @Test func `bytes that are no properties are refused`() throws {
        let properties = MessageProperties(
            messageID: "one",
            type: "disk.create",
            contentType: "application/json",
            expiration: "60000",
            deliveryMode: 2,
            timestamp: 1_700_000_000,
            headers: Self.table
        )
        let wire = try #require(WireForm.bytes(of: properties, limit: Self.frame))
        try Fuzzer("AMQP property bytes", samples: [wire, [0, 0]], words: Self.fields).run { bytes in
            guard let properties = WireForm.properties(from: bytes) else { return }
            let texts = [properties.messageID, properties.type, properties.replyTo, properties.userID]
            try hold(texts.allSatisfy { $0?.utf8.count ?? 0 <= 3 * 255 }, "a short string is longer than one")
        }
    }

    @Test(arguments: ["A", "F"])
    func `a frame full of tables inside one another is read`(kind: String) throws {
        // Each level takes a dead-letter message and a length, and one of tables an empty name before them.
        let name: [UInt8] = kind == "F" ? [0] : []
        let depth = (Self.frame - 64) / (5 + name.count)
        var bytes: [UInt8] = []
        bytes.append(length: 1 + 5 * depth + name.count * (depth - 1))
        for level in 1...depth {
            bytes += (level == 1 ? [0] : name) + Array(kind.utf8)
            bytes.append(length: (5 + name.count) * (depth - level))
        }
        let table = try #require(WireForm.table(from: bytes))
        #expect(table.entries.count == 1)
    }

    @Test func `an address of a broker is read or refused`() throws {
        let samples = [
            "amqp://guest:guest@localhost:5672/%2F?heartbeat=10", "amqps://user:p%40ss@[::1]:5671/vhost",
            "amqp://host", "amqp:///",
        ]
        let words = ["%00", "%", "@", "//", "[", "]", ":", "?heartbeat=", "&"]
        try Fuzzer("broker addresses", texts: samples, words: words).run { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let url = try? BrokerURL(text) else { return }
            let parts = [url.user, url.password, url.host, url.virtualHost]
            try hold(url.port > 0 && !url.host.isEmpty, "no host or port")
            try hold(parts.allSatisfy { !$0.utf8.contains(0) }, "a part holds a NUL")
        }
    }

    /// Inputs from which tables and deliveries are drawn.
    private static let drawn: [[UInt8]] = (1...16).map { seed in
        var random = SplitMix64(seed: UInt64(seed))
        return (0..<400).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private static let fields = [
        "\u{1}at\u{1}", "\u{1}bb\u{1}", "\u{1}cI\0\0\0\u{1}", "\u{1}dS\0\0\0\u{1}x", "\u{1}eF\0\0\0\0",
        "\u{1}fA\0\0\0\0",
        "\u{1}gV", "\u{1}hx\0\0\0\u{1}x", "A\0\0\0\u{5}", "F\0\0\0\u{6}\0", "\0\0\0\u{8}", "\u{7F}",
    ]
}

extension FieldTable {
    /// Equal to the bit, NaN too.
    fileprivate func isSame(as other: FieldTable) -> Bool {
        self == other || "\(self.entries.map(\.bits))" == "\(other.entries.map(\.bits))"
    }
}

extension FieldTable.Entry {
    fileprivate var bits: String { "\(self.name)=\(self.value.bits)" }
}

extension FieldValue {
    fileprivate var bits: String {
        switch self {
        case .float(let value): "f\(value.bitPattern)"
        case .double(let value): "d\(value.bitPattern)"
        case .table(let table): "F\(table.entries.map(\.bits))"
        case .array(let values): "A\(values.map(\.bits))"
        default: "\(self)"
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(length: Int) {
        self += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
    }
}
