import CRabbitMQ

/// Lays strings and tables out as librabbitmq wants them, in a pool of its own that outlives one send.
struct FieldWriter {
    let pool: UnsafeMutablePointer<amqp_pool_t>

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { self.copy(UnsafeRawBufferPointer($0)) }
    }

    func table(_ table: FieldTable, extra: FieldTable.Entry? = nil) -> amqp_table_t {
        let count = table.entries.count + (extra == nil ? 0 : 1)
        guard count > 0, let entries = self.allocate(amqp_table_entry_t.self, count) else {
            return amqp_table_t(num_entries: 0, entries: nil)
        }
        for (index, entry) in table.entries.enumerated() { entries[index] = self.entry(entry) }
        if let extra { entries[count - 1] = self.entry(extra) }
        return amqp_table_t(num_entries: CInt(count), entries: entries)
    }

    func properties(_ properties: MessageProperties, extra: FieldTable.Entry?) -> amqp_basic_properties_t {
        var encoded = amqp_basic_properties_t()
        var flags: amqp_flags_t = 0
        func bytes(_ text: String?, _ flag: CInt) -> amqp_bytes_t {
            guard let text else { return amqp_bytes_t() }
            flags |= amqp_flags_t(flag)
            return self.bytes(text)
        }
        encoded.content_type = bytes(properties.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG)
        encoded.content_encoding = bytes(properties.contentEncoding, AMQP_BASIC_CONTENT_ENCODING_FLAG)
        encoded.correlation_id = bytes(properties.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG)
        encoded.reply_to = bytes(properties.replyTo, AMQP_BASIC_REPLY_TO_FLAG)
        encoded.expiration = bytes(properties.expiration, AMQP_BASIC_EXPIRATION_FLAG)
        encoded.message_id = bytes(properties.messageID, AMQP_BASIC_MESSAGE_ID_FLAG)
        encoded.type = bytes(properties.type, AMQP_BASIC_TYPE_FLAG)
        encoded.user_id = bytes(properties.userID, AMQP_BASIC_USER_ID_FLAG)
        encoded.app_id = bytes(properties.appID, AMQP_BASIC_APP_ID_FLAG)
        encoded.cluster_id = bytes(properties.clusterID, AMQP_BASIC_CLUSTER_ID_FLAG)
        encoded._flags = flags
        self.setNumbers(of: properties, in: &encoded)
        if !properties.headers.isEmpty || extra != nil {
            encoded.headers = self.table(properties.headers, extra: extra)
            encoded._flags |= amqp_flags_t(AMQP_BASIC_HEADERS_FLAG)
        }
        return encoded
    }

    private func setNumbers(of properties: MessageProperties, in encoded: inout amqp_basic_properties_t) {
        if let mode = properties.deliveryMode {
            encoded.delivery_mode = mode
            encoded._flags |= amqp_flags_t(AMQP_BASIC_DELIVERY_MODE_FLAG)
        }
        if let priority = properties.priority {
            encoded.priority = priority
            encoded._flags |= amqp_flags_t(AMQP_BASIC_PRIORITY_FLAG)
        }
        if let timestamp = properties.timestamp {
            encoded.timestamp = timestamp
            encoded._flags |= amqp_flags_t(AMQP_BASIC_TIMESTAMP_FLAG)
        }
    }

    private func entry(_ entry: FieldTable.Entry) -> amqp_table_entry_t {
        amqp_table_entry_t(key: self.bytes(entry.name), value: self.value(entry.value))
    }

    private func value(_ value: FieldValue) -> amqp_field_value_t {
        var encoded = amqp_field_value_t()
        func set(_ kind: amqp_field_value_kind_t, _ fill: (inout amqp_field_value_t) -> Void = { _ in }) {
            encoded.kind = UInt8(kind.rawValue)
            fill(&encoded)
        }
        switch value {
        case .bool(let value): set(AMQP_FIELD_KIND_BOOLEAN) { $0.value.boolean = value ? 1 : 0 }
        case .int8(let value): set(AMQP_FIELD_KIND_I8) { $0.value.i8 = value }
        case .uint8(let value): set(AMQP_FIELD_KIND_U8) { $0.value.u8 = value }
        case .int16(let value): set(AMQP_FIELD_KIND_I16) { $0.value.i16 = value }
        case .uint16(let value): set(AMQP_FIELD_KIND_U16) { $0.value.u16 = value }
        case .int32(let value): set(AMQP_FIELD_KIND_I32) { $0.value.i32 = value }
        case .uint32(let value): set(AMQP_FIELD_KIND_U32) { $0.value.u32 = value }
        case .int64(let value): set(AMQP_FIELD_KIND_I64) { $0.value.i64 = value }
        case .uint64(let value): set(AMQP_FIELD_KIND_U64) { $0.value.u64 = value }
        case .float(let value): set(AMQP_FIELD_KIND_F32) { $0.value.f32 = value }
        case .double(let value): set(AMQP_FIELD_KIND_F64) { $0.value.f64 = value }
        case .decimal(let scale, let value):
            set(AMQP_FIELD_KIND_DECIMAL) { $0.value.decimal = amqp_decimal_t(decimals: scale, value: value) }
        case .string(let text): set(AMQP_FIELD_KIND_UTF8) { $0.value.bytes = self.bytes(text) }
        case .opaqueString(let bytes): set(AMQP_FIELD_KIND_UTF8) { $0.value.bytes = self.copy(bytes) }
        case .bytes(let bytes): set(AMQP_FIELD_KIND_BYTES) { $0.value.bytes = self.copy(bytes) }
        case .array(let values): set(AMQP_FIELD_KIND_ARRAY) { $0.value.array = self.array(values) }
        case .timestamp(let seconds): set(AMQP_FIELD_KIND_TIMESTAMP) { $0.value.u64 = seconds }
        case .table(let table): set(AMQP_FIELD_KIND_TABLE) { $0.value.table = self.table(table) }
        case .void: set(AMQP_FIELD_KIND_VOID)
        }
        return encoded
    }

    private func array(_ values: [FieldValue]) -> amqp_array_t {
        guard !values.isEmpty, let entries = self.allocate(amqp_field_value_t.self, values.count) else {
            return amqp_array_t(num_entries: 0, entries: nil)
        }
        for (index, value) in values.enumerated() { entries[index] = self.value(value) }
        return amqp_array_t(num_entries: CInt(values.count), entries: entries)
    }

    private func copy(_ bytes: [UInt8]) -> amqp_bytes_t {
        bytes.withUnsafeBytes { self.copy($0) }
    }

    private func copy(_ bytes: UnsafeRawBufferPointer) -> amqp_bytes_t {
        guard let source = bytes.baseAddress, !bytes.isEmpty,
            let target = self.allocate(UInt8.self, bytes.count)
        else { return amqp_bytes_t(len: 0, bytes: nil) }
        UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: bytes.count)
        return amqp_bytes_t(len: bytes.count, bytes: target)
    }

    /// Room for `count` values; nil only when the process has no memory left.
    private func allocate<Value>(_ type: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value>? {
        let size = (count * MemoryLayout<Value>.stride + 15) & ~15
        return amqp_pool_alloc(self.pool, size)?.bindMemory(to: Value.self, capacity: count)
    }
}
