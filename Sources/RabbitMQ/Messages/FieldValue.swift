/// One value of an AMQP 0-9-1 field table, in the types that RabbitMQ knows.
package enum FieldValue: Sendable, Hashable {
    case bool(Bool)
    case int8(Int8)
    case uint8(UInt8)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case float(Float)
    case double(Double)
    /// A number that is `value` divided by ten to the power of `scale`.
    case decimal(scale: UInt8, value: UInt32)
    /// A long string of valid UTF-8.
    case string(String)
    /// A long string that is no UTF-8, byte for byte.
    case opaqueString([UInt8])
    case bytes([UInt8])
    case array([FieldValue])
    /// Seconds since 1970.
    case timestamp(UInt64)
    case table(FieldTable)
    case void
}

extension FieldValue {
    /// The text of a string; nil for every other type.
    package var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The number of any integer type that `Int64` can hold; nil for every other type.
    package var integer: Int64? {
        switch self {
        case .int8(let value): Int64(value)
        case .uint8(let value): Int64(value)
        case .int16(let value): Int64(value)
        case .uint16(let value): Int64(value)
        case .int32(let value): Int64(value)
        case .uint32(let value): Int64(value)
        case .int64(let value): value
        case .uint64(let value): Int64(exactly: value)
        default: nil
        }
    }
}

extension FieldValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    /// A long string.
    package init(stringLiteral value: String) { self = .string(value) }
    /// A signed number of 64 bits.
    package init(integerLiteral value: Int64) { self = .int64(value) }
    /// A truth value.
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}
