import CRabbitMQ

/// Copies what librabbitmq has decoded into values of our own.
enum FieldReader {
    /// Tables and arrays inside one another deeper than this are replaced by void.
    static let depthLimit = 128

    static func properties(_ decoded: amqp_basic_properties_t) -> MessageProperties {
        let flags = decoded._flags
        func has(_ flag: CInt) -> Bool { flags & amqp_flags_t(flag) != 0 }
        func text(_ bytes: amqp_bytes_t, _ flag: CInt) -> String? { has(flag) ? self.text(bytes) : nil }
        var properties = MessageProperties()
        guard flags != 0 else { return properties }
        properties.contentType = text(decoded.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG)
        properties.contentEncoding = text(decoded.content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG)
        properties.correlationID = text(decoded.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG)
        properties.replyTo = text(decoded.reply_to, AMQP_BASIC_REPLY_TO_FLAG)
        properties.expiration = text(decoded.expiration, AMQP_BASIC_EXPIRATION_FLAG)
        properties.messageID = text(decoded.message_id, AMQP_BASIC_MESSAGE_ID_FLAG)
        properties.type = text(decoded.type, AMQP_BASIC_TYPE_FLAG)
        properties.userID = text(decoded.user_id, AMQP_BASIC_USER_ID_FLAG)
        properties.appID = text(decoded.app_id, AMQP_BASIC_APP_ID_FLAG)
        properties.clusterID = text(decoded.cluster_id, AMQP_BASIC_CLUSTER_ID_FLAG)
        if has(AMQP_BASIC_DELIVERY_MODE_FLAG) { properties.deliveryMode = decoded.delivery_mode }
        if has(AMQP_BASIC_PRIORITY_FLAG) { properties.priority = decoded.priority }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { properties.timestamp = decoded.timestamp }
        if has(AMQP_BASIC_HEADERS_FLAG) { properties.headers = self.table(decoded.headers, depth: 0) }
        return properties
    }

    /// The text of a short string; bytes that are no UTF-8 are replaced.
    static func text(_ bytes: amqp_bytes_t) -> String {
        String(decoding: self.buffer(bytes), as: UTF8.self)
    }

    static func buffer(_ bytes: amqp_bytes_t) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.bytes == nil ? 0 : bytes.len)
    }

    static func table(_ table: amqp_table_t, depth: Int) -> FieldTable {
        FieldTable(
            UnsafeBufferPointer(start: table.entries, count: Int(table.num_entries)).map { entry in
                FieldTable.Entry(name: self.text(entry.key), value: self.value(entry.value, depth: depth + 1))
            }
        )
    }

    private static func value(_ field: amqp_field_value_t, depth: Int) -> FieldValue {
        let value = field.value
        switch amqp_field_value_kind_t(rawValue: UInt32(field.kind)) {
        case AMQP_FIELD_KIND_BOOLEAN: return .bool(value.boolean != 0)
        case AMQP_FIELD_KIND_I8: return .int8(value.i8)
        case AMQP_FIELD_KIND_U8: return .uint8(value.u8)
        case AMQP_FIELD_KIND_I16: return .int16(value.i16)
        case AMQP_FIELD_KIND_U16: return .uint16(value.u16)
        case AMQP_FIELD_KIND_I32: return .int32(value.i32)
        case AMQP_FIELD_KIND_U32: return .uint32(value.u32)
        case AMQP_FIELD_KIND_I64: return .int64(value.i64)
        case AMQP_FIELD_KIND_U64: return .uint64(value.u64)
        case AMQP_FIELD_KIND_F32: return .float(value.f32)
        case AMQP_FIELD_KIND_F64: return .double(value.f64)
        case AMQP_FIELD_KIND_DECIMAL:
            return .decimal(scale: value.decimal.decimals, value: value.decimal.value)
        case AMQP_FIELD_KIND_UTF8: return self.longString(self.buffer(value.bytes))
        case AMQP_FIELD_KIND_BYTES: return .bytes(Array(self.buffer(value.bytes)))
        case AMQP_FIELD_KIND_TIMESTAMP: return .timestamp(value.u64)
        case AMQP_FIELD_KIND_ARRAY where depth < self.depthLimit: return self.array(value.array, depth: depth)
        case AMQP_FIELD_KIND_TABLE where depth < self.depthLimit:
            return .table(self.table(value.table, depth: depth))
        default: return .void
        }
    }

    private static func array(_ array: amqp_array_t, depth: Int) -> FieldValue {
        let values = UnsafeBufferPointer(start: array.entries, count: Int(array.num_entries))
        return .array(values.map { self.value($0, depth: depth + 1) })
    }

    private static func longString(_ bytes: UnsafeRawBufferPointer) -> FieldValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .opaqueString(Array(bytes))
    }
}
