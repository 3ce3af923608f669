extension OutgoingMessage {
    /// Why AMQP cannot carry the message, if so: strings over 255 bytes, or headers that do not fit one frame.
    func fault(frameMax: Int) -> RabbitMQError? {
        let properties = self.message.properties
        var (size, longest) = (64, 0)
        func add(_ text: String) {
            size += text.utf8.count + 1
            longest = max(longest, text.utf8.count)
        }
        add(self.exchange)
        add(self.routingKey)
        properties.forEachText(add)
        guard longest <= 255 else {
            return RabbitMQError(.invalidMessage, during: "basic.publish", "a property is over 255 bytes")
        }
        guard let headers = properties.headers.encodedSize(depth: 0) else {
            let reason = "a header's name is over 255 bytes, or its value is nested too deeply"
            return RabbitMQError(.invalidMessage, during: "basic.publish", reason)
        }
        guard size + headers <= frameMax else {
            return RabbitMQError(.frameTooLarge, during: "basic.publish", "the headers do not fit one frame")
        }
        return nil
    }
}

extension FieldTable {
    /// The bytes that the table takes on the wire; nil where it cannot be sent.
    fileprivate func encodedSize(depth: Int) -> Int? {
        guard depth <= FieldReader.depthLimit else { return nil }
        var size = 4
        for entry in self.entries {
            let name = entry.name.utf8.count
            guard name <= 255, let value = entry.value.encodedSize(depth: depth + 1) else { return nil }
            size += 1 + name + value
        }
        return size
    }
}

extension FieldValue {
    fileprivate func encodedSize(depth: Int) -> Int? {
        switch self {
        case .void: 1
        case .bool, .int8, .uint8: 2
        case .int16, .uint16: 3
        case .int32, .uint32, .float: 5
        case .decimal: 6
        case .int64, .uint64, .double, .timestamp: 9
        case .string(let text): 5 + text.utf8.count
        case .opaqueString(let bytes), .bytes(let bytes): 5 + bytes.count
        case .table(let table): table.encodedSize(depth: depth).map { $0 + 1 }
        case .array(let values): FieldValue.encodedSize(of: values, depth: depth)
        }
    }

    private static func encodedSize(of values: [FieldValue], depth: Int) -> Int? {
        guard depth <= FieldReader.depthLimit else { return nil }
        var size = 5
        for value in values {
            guard let one = value.encodedSize(depth: depth + 1) else { return nil }
            size += one
        }
        return size
    }
}
