import CRabbitMQ

/// Tables and properties as the bytes of AMQP 0-9-1, by librabbitmq's own hand; for what has no connection.
enum WireForm {
    /// The bytes of a table; nil if they do not fit into `limit`.
    static func bytes(of table: FieldTable, limit: Int) -> [UInt8]? {
        self.withPool { pool in
            var encoded = FieldWriter(pool: pool).table(table)
            return self.filled(limit) { buffer in
                var offset = 0
                let status = amqp_encode_table(buffer, &encoded, &offset)
                return status == AMQP_STATUS_OK.rawValue ? offset : nil
            }
        }
    }

    /// The bytes of properties; nil if they do not fit into `limit`.
    static func bytes(of properties: MessageProperties, limit: Int) -> [UInt8]? {
        self.withPool { pool in
            var encoded = FieldWriter(pool: pool).properties(properties, extra: nil)
            return self.filled(limit) { buffer in
                let count = amqp_encode_properties(UInt16(AMQP_BASIC_CLASS), &encoded, buffer)
                return count < 0 ? nil : Int(count)
            }
        }
    }

    /// The table that stands at the start of `bytes`; nil if none does.
    static func table(from bytes: [UInt8]) -> FieldTable? {
        self.decoding(bytes) { pool, bytes in
            var (decoded, offset) = (amqp_table_t(), 0)
            let status = amqp_decode_table(bytes, pool, &decoded, &offset)
            return status == AMQP_STATUS_OK.rawValue ? FieldReader.table(decoded, depth: 0) : nil
        }
    }

    /// The properties that `bytes` hold; nil if they hold none.
    static func properties(from bytes: [UInt8]) -> MessageProperties? {
        self.decoding(bytes) { pool, bytes in
            var decoded: UnsafeMutableRawPointer?
            let status = amqp_decode_properties(UInt16(AMQP_BASIC_CLASS), pool, bytes, &decoded)
            guard status == AMQP_STATUS_OK.rawValue, let decoded else { return nil }
            return FieldReader.properties(decoded.load(as: amqp_basic_properties_t.self))
        }
    }

    private static func withPool<Value>(_ body: (UnsafeMutablePointer<amqp_pool_t>) -> Value) -> Value {
        var pool = amqp_pool_t()
        return withUnsafeMutablePointer(to: &pool) { pool in
            init_amqp_pool(pool, 4096)
            defer { empty_amqp_pool(pool) }
            return body(pool)
        }
    }

    private static func decoding<Value>(
        _ bytes: [UInt8],
        _ decode: (UnsafeMutablePointer<amqp_pool_t>, amqp_bytes_t) -> Value?
    ) -> Value? {
        self.withPool { pool in
            bytes.withUnsafeBytes { buffer in
                // The library only reads what it decodes.
                let start = UnsafeMutableRawPointer(mutating: buffer.baseAddress)
                return decode(pool, amqp_bytes_t(len: buffer.count, bytes: start))
            }
        }
    }

    private static func filled(_ limit: Int, _ encode: (amqp_bytes_t) -> Int?) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = bytes.withUnsafeMutableBytes {
            encode(amqp_bytes_t(len: $0.count, bytes: $0.baseAddress))
        }
        return count.map { Array(bytes.prefix($0)) }
    }
}
