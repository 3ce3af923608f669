import RabbitMQ
import Testing

@testable import Jobs

@Suite struct EnvelopeTests {
    private let id = "0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d"

    @Test func `id, kind and replay count come from the properties`() throws {
        let headers: FieldTable = ["x-replay-count": .int32(2)]
        let envelope = try Envelope(
            self.delivery(id: self.id.uppercased(), type: "disk.create", headers: headers)
        )
        #expect(envelope.id.description == self.id)
        #expect(envelope.kind == "disk.create")
        #expect(envelope.replayCount == 2)
    }

    @Test func `without a type the routing key is the kind`() throws {
        #expect(try Envelope(self.delivery(id: self.id, type: nil)).kind == "disk.create")
    }

    @Test(
        arguments: [
            ("gpudev.jobs", "disk.create", "disk.delete"), ("gpudev.jobs", "disk.create", ""),
            ("", "gpudev.disks", nil), ("", "disk.create", nil), ("", "gpudev.disks", "unheard.of"),
            ("gpudev.jobs", "unheard.of", nil),
            ("gpudev.jobs", "disk." + String(repeating: "x", count: 236), nil),
        ] as [(String, String, String?)]
    )
    func `what does not name one kind is malformed`(exchange: String, routingKey: String, type: String?)
        throws
    {
        let delivery = self.delivery(id: self.id, type: type, exchange: exchange, routingKey: routingKey)
        #expect(self.fault(delivery) == "type")
        for message in DeadLettering(Malformed("type", "x"), of: delivery, in: .ofTests).messages() {
            #expect(message.routingKey.utf8.count <= 255)
            #expect(message.destination != .dead || message.routingKey.hasPrefix("disk."))
        }
    }

    @Test func `the type is the kind of what came by the name of a queue, and the key of what follows`()
        throws
    {
        let envelope = try Envelope(self.delivery(id: self.id, exchange: "", routingKey: "gpudev.disks"))
        #expect(envelope.kind == "disk.create")
        #expect(envelope.message(forTurn: 1).routingKey == "disk.create")
    }

    @Test(arguments: ["", "gpudev.jobs"])
    func `a letter that was moved back counts as a replay, under the key that it had`(exchange: String) throws
    {
        let headers: FieldTable = [
            "x-requested-by": "alice", "x-dead-reason": "rejected", "x-dead-at": "2025-01-02T03:04:05Z",
            "x-original-exchange": "gpudev.jobs", "x-original-routing-key": "disk.create",
            "x-replay-count": 1,
        ]
        let routingKey = exchange.isEmpty ? "gpudev.disks" : "disk.create"
        let moved = self.delivery(
            id: self.id,
            type: nil,
            headers: headers,
            exchange: exchange,
            routingKey: routingKey
        )
        let envelope = try Envelope(moved)
        #expect(envelope.kind == "disk.create")
        #expect(envelope.replayCount == 2)
        #expect(envelope.message.properties.headers == ["x-requested-by": "alice", "x-replay-count": 2])
        let other = self.delivery(
            id: self.id,
            type: "disk.delete",
            headers: headers,
            exchange: exchange,
            routingKey: routingKey
        )
        #expect(self.fault(other) == "type")
    }

    @Test func `who asked is cleaned and bounded, and only the broker's word makes an account`() throws {
        let headers: FieldTable = [
            "x-requested-by": .string("\u{1B}[2Jalice\u{202E}" + String(repeating: "ü", count: 200)),
            "x-broker-user": "mallory", "x-original-user-id": "mallory",
        ]
        let requester = try Envelope(self.delivery(id: self.id, headers: headers)).requester
        #expect(requester.brokerUser == nil)
        #expect(requester.requestedBy?.hasPrefix("\u{FFFD}[2Jalice\u{FFFD}") == true)
        #expect((requester.requestedBy?.utf8.count ?? 0) <= 255)
    }

    @Test(arguments: [Int64.max, Int64.min, 2_147_483_648])
    func `counts that the ledger cannot hold are cut to those it can`(count: Int64) throws {
        let headers: FieldTable = ["x-replay-count": .int64(count), "x-turn": .int64(count)]
        let envelope = try Envelope(self.delivery(id: self.id, headers: headers))
        #expect(0..<Int(Int32.max) ~= envelope.replayCount)
        #expect(Int(Int32.min)...Int(Int32.max) ~= envelope.turn)
    }

    @Test(
        arguments: [
            ["x\0": "y"], ["x": "\0"], ["x": .array([.table(["y": "\0"])])],
        ] as [FieldTable]
    )
    func `a NUL, which the ledger and the outbox cannot hold, is malformed`(headers: FieldTable) {
        #expect(self.fault(self.delivery(id: self.id, headers: headers)) == "encoding")
        #expect(self.fault(self.delivery(id: self.id, type: "disk.create\0")) == "encoding")
    }

    @Test(arguments: ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"])
    func `parameters and case of the content type do not matter`(contentType: String) throws {
        _ = try Envelope(self.delivery(id: self.id, contentType: contentType))
    }

    @Test(arguments: ["", "text/plain", "application/jsonp", "application/cloudevents+json"])
    func `another content type is malformed`(contentType: String) {
        #expect(self.fault(self.delivery(id: self.id, contentType: contentType)) == "content-type")
    }

    @Test(arguments: [nil, "", "42", "0b6d7a52-3d61-4d8e-9f4b", " 0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d"])
    func `a message id that is no UUID is malformed`(id: String?) {
        #expect(self.fault(self.delivery(id: id)) == "message-id")
    }

    @Test(
        arguments: [
            (String(repeating: "[", count: 65) + String(repeating: "]", count: 65), "json"),
            (String(repeating: "[", count: 1_000), "json"),
            (#"{"a": "\u0000"}"#, "json"),
            (#"{"\u0000": 1}"#, "json"),
            (#"{"nobody reads": 300-2}"#, "json"), (#"{"nobody reads": 01}"#, "json"),
            (#"{"a": 1 , }"#, "json"), (#"{"a": [1,]}"#, "json"),
            (#"{"nobody reads": 1.}"#, "json"), (#"{"nobody reads": [1e]}"#, "json"),
            (#"{"nobody reads": "\i"}"#, "json"), (#"{"nobody reads": "\u00g1"}"#, "json"),
            ("{\"nobody reads\": \"a\nb\"}", "json"),
            ("{\"a\": \"\0\"}", "json"),
        ])
    func `bytes that no handler may see are malformed`(body: String, code: String) {
        #expect(self.fault(self.delivery(id: self.id, body: Array(body.utf8))) == code)
    }

    @Test(
        arguments: [[0xFF], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0xC0, 0x80]] as [[UInt8]]
    )
    func `a body that is not UTF-8 is malformed`(body: [UInt8]) {
        #expect(self.fault(self.delivery(id: self.id, body: body)) == "encoding")
    }

    @Test(
        arguments: [
            String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
            #"{"a": "\\u0000"}"#,
            #"{"a": "\"\\\/\b\f\n\r\t\u00fC\uD83D\uDC18"}"#,
            #"{"a": "\u00001"}"#.replacing("0000", with: "0001"),
            #"{"a": "[[[[{{{{\""}"#,
            #"{"a": [0, -0, 10, -1.50, 0.1e+10, 1E-2, 12e0, true, false, null]}"#,
        ])
    func `numbers, and brackets and escapes inside text, are what they are`(body: String) throws {
        _ = try Envelope(self.delivery(id: self.id, body: Array(body.utf8)))
    }

    private func fault(_ delivery: Delivery) -> String? {
        do {
            _ = try Envelope(delivery)
            return nil
        } catch {
            return error.code
        }
    }

    private func delivery(
        id: String?,
        type: String? = "disk.create",
        contentType: String? = nil,
        headers: FieldTable = [:],
        body: [UInt8] = Array("{}".utf8),
        exchange: String = "gpudev.jobs",
        routingKey: String = "disk.create",
    ) -> Delivery {
        let properties = MessageProperties(
            messageID: id,
            type: type,
            contentType: contentType,
            headers: headers
        )
        return Delivery(
            tag: DeliveryTag(epoch: 1, number: 1),
            redelivered: false,
            exchange: exchange,
            routingKey: routingKey,
            queue: "gpudev.disks",
            message: Message(properties: properties, body: body),
        )
    }
}
