import RabbitMQ
import Testing

struct MessageTests {
    private static let everyType: FieldTable = [
        "bool": .bool(true), "no": .bool(false),
        "int8": .int8(-128), "uint8": .uint8(255),
        "int16": .int16(-32768), "uint16": .uint16(65535),
        "int32": .int32(.min), "uint32": .uint32(.max),
        "int64": .int64(.min),
        "float": .float(1.5), "double": .double(-0.1),
        "decimal": .decimal(scale: 2, value: 31415),
        "string": "snöw", "empty": "", "opaque": .opaqueString([0xFF, 0x00, 0xC3]),
        "bytes": .bytes([0, 1, 2, 255]), "no bytes": .bytes([]),
        "array": .array([.int32(1), "two", .array([]), .table(["three": .void])]),
        "timestamp": .timestamp(1_900_000_000),
        "table": .table(["inner": .table(["deep": .array([.bool(true)])])]),
        "void": .void,
        "twice": "first", "twice": "second",
    ]

    private static let everyProperty = MessageProperties(
        messageID: "message",
        type: "type",
        contentType: "text/plain",
        contentEncoding: "gzip",
        correlationID: "correlation",
        replyTo: "reply",
        expiration: "600000",
        userID: "guest",
        appID: "app",
        clusterID: "cluster",
        deliveryMode: 2,
        priority: 9,
        timestamp: 1_900_000_000,
        headers: everyType
    )

    private static func inOriginalOrder(_ table: FieldTable) -> FieldTable {
        let names = self.everyType.entries.map(\.name)
        return FieldTable(
            table.entries.enumerated().sorted { left, right in
                let places = [left, right].map { names.firstIndex(of: $0.element.name) ?? .max }
                return (places[0], left.offset) < (places[1], right.offset)
            }.map(\.element)
        )
    }

    @Test(arguments: ["classic", "quorum"])
    func `every property and header type comes back as it went out`(kind: String) async throws {
        let connection = try await Broker.connect()
        let queue = "round-trip-\(kind)-\(connection.epoch)-\(UInt64.random(in: 0 ... .max))"
        try await connection.declareQueue(queue, arguments: ["x-queue-type": .string(kind)])
        let message = Message(properties: Self.everyProperty, body: [0, 255, 10])
        _ = try await connection.publish(message, to: "", routingKey: queue, mandatory: false)
        let delivery = try #require(try await connection.get(queue))
        let received = delivery.message.with {
            $0.headers["x-delivery-count"] = nil
            // A quorum queue adds a header, and the broker then sorts them.
            if kind == "quorum" { $0.headers = Self.inOriginalOrder($0.headers) }
        }
        #expect(received == message)
        #expect(delivery.queue == queue && delivery.exchange.isEmpty && delivery.routingKey == queue)
        try await connection.deleteQueue(queue)
        await connection.close()
    }

    @Test(arguments: [0, 1, 131_063, 131_064, 131_065, 5 << 20])
    func `bodies of any size arrive whole`(size: Int) async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let outcome = try await connection.publish(Message(body: body), to: "", routingKey: queue)
        #expect(outcome.isConfirmed)
        let delivery = try #require(try await connection.get(queue))
        #expect(delivery.message.body == body)
        let none = try await connection.get(queue)
        #expect(none?.tag == nil)
        await connection.close()
    }

    @Test func `what AMQP cannot carry is told apart and harms nobody`() async throws {
        let connection = try await Broker.connect()
        let queue = try await connection.declareQueue("", exclusive: true).name
        let tooLong = String(repeating: "x", count: 256)
        var nested = FieldValue.void
        for _ in 0..<200 { nested = .array([nested]) }
        let faulty = [
            MessageProperties(messageID: tooLong),
            MessageProperties(headers: [tooLong: "x"]),
            MessageProperties(headers: ["big": .bytes(Array(repeating: 0, count: 140_000))]),
            MessageProperties(headers: ["nested": nested]),
            MessageProperties(),
        ]
        let batch = faulty.map {
            OutgoingMessage(Message(properties: $0, body: []), to: "", routingKey: queue)
        }
        let outcomes = try await connection.publish(batch, within: .seconds(10))
        let codes = outcomes.map { outcome -> RabbitMQError.Code? in
            guard case .unsendable(let error) = outcome else { return nil }
            return error.code
        }
        #expect(codes == [.invalidMessage, .invalidMessage, .frameTooLarge, .invalidMessage, nil])
        #expect(outcomes.last?.isConfirmed == true)
        await connection.close()
    }
}
