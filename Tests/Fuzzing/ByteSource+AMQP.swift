package import RabbitMQ

extension ByteSource {
    /// Headers that are likely to be read, and others.
    private static let names = [
        "x-death", "x-dead-reason", "x-dead-code", "x-dead-error", "x-dead-attempts", "x-dead-at",
        "x-original-exchange", "x-original-routing-key", "x-original-expiration", "x-original-user-id",
        "x-replay-count", "x-turn", "x-outbox-id", "x-publish-id", "x-delivery-count", "traceparent",
        "reason", "time",
        "exchange", "routing-keys", "queue", "count", "",
    ]

    private static let texts = [
        "rejected", "expired", "delivery_limit", "2025-01-02T03:04:05.678Z", "gpudev.jobs", "disk.create",
        "application/json", "0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d",
    ]

    /// A table with at most so many levels, of at most 16 fields each.
    package mutating func table(depth: Int = 6) -> FieldTable {
        FieldTable(
            (0..<Int(self.byte() & 15)).map { _ in
                FieldTable.Entry(name: self.name(), value: self.value(depth: depth))
            }
        )
    }

    private mutating func name() -> String {
        let choice = Int(self.byte())
        return choice < 200 ? Self.names[choice % Self.names.count] : self.text()
    }

    private mutating func word() -> String {
        let choice = Int(self.byte())
        return choice < 128 ? Self.texts[choice % Self.texts.count] : self.text()
    }

    /// Any value; numbers are at the ends of their range as often as not.
    package mutating func value(depth: Int) -> FieldValue {
        switch self.byte() % 20 {
        case 0: .bool(self.byte() & 1 == 1)
        case 1: .int8(self.edge())
        case 2: .uint8(self.edge())
        case 3: .int16(self.edge())
        case 4: .uint16(self.edge())
        case 5: .int32(self.edge())
        case 6: .uint32(self.edge())
        case 7, 19: .int64(self.edge())
        case 8: .uint64(self.edge())
        case 9: .float(Float(bitPattern: self.number()))
        case 10: .double(Double(bitPattern: self.number()))
        case 11: .decimal(scale: self.byte(), value: self.number())
        case 12: .string(self.word())
        // A string that is UTF-8 would come back as one.
        case 13: .opaqueString([0xFF] + self.bytes())
        case 14: .bytes(self.bytes())
        case 15: .timestamp(self.edge())
        case 16 where depth > 0: .table(self.table(depth: depth - 1))
        case 17 where depth > 0:
            .array((0..<Int(self.byte() & 7)).map { _ in self.value(depth: depth - 1) })
        case 18: .void
        default: .string(self.text())
        }
    }

    private mutating func edge<Number: FixedWidthInteger>() -> Number {
        switch self.byte() & 7 {
        case 0: .min
        case 1: .max
        case 2: 0
        case 3: 1
        default: self.number()
        }
    }

    /// A delivery with a good id as often as not.
    package mutating func delivery() -> Delivery {
        let id = self.byte() & 1 == 1 ? "0b6d7a52-3d61-4d8e-9f4b-0c7f5a1b2c3d" : self.optionalText()
        let properties = MessageProperties(
            messageID: id,
            type: self.optionalText(),
            contentType: self.byte() & 1 == 1 ? nil : self.optionalText(),
            contentEncoding: self.optionalText(),
            correlationID: self.optionalText(),
            replyTo: self.optionalText(),
            expiration: self.optionalText(),
            userID: self.optionalText(),
            appID: self.optionalText(),
            clusterID: self.optionalText(),
            deliveryMode: self.byte(),
            priority: self.byte(),
            timestamp: self.edge(),
            headers: self.table()
        )
        return Delivery(
            tag: DeliveryTag(epoch: 1, number: self.edge()),
            redelivered: self.byte() & 1 == 1,
            exchange: self.text(),
            routingKey: self.text(),
            queue: "gpudev.disks",
            message: Message(
                properties: properties,
                body: self.byte() & 1 == 1 ? Array("{}".utf8) : self.bytes()
            )
        )
    }
}
