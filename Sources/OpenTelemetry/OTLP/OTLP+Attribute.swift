import Tracing

extension OTLP {
    /// A key with its value.
    struct Attribute: Encodable {
        let key: String
        let value: Value

        init(_ key: String, _ value: Value) {
            self.key = key
            self.value = value
        }

        /// All of them, by key, without those that hold nothing that OTLP knows.
        static func all(_ attributes: SpanAttributes) -> [Attribute] {
            var all: [Attribute] = []
            attributes.forEach { key, attribute in
                if let value = Value(attribute) { all.append(Attribute(key, value)) }
            }
            return all.sorted { $0.key < $1.key }
        }
    }

    /// `AnyValue`.
    enum Value: Encodable {
        case string(String), bool(Bool), int(Int64), double(Double)
        indirect case array([Value])

        private enum Keys: String, CodingKey {
            case stringValue, boolValue, intValue, doubleValue, arrayValue
        }

        private struct Array: Encodable { let values: [Value] }

        init?(_ attribute: SpanAttribute) {
            switch attribute {
            case .string(let text): self = .string(text)
            case .bool(let value): self = .bool(value)
            case .int32(let number): self = .int(Int64(number))
            case .int64(let number): self = .int(number)
            case .double(let number): self = .double(number)
            case .stringConvertible(let value): self = .string("\(value)")
            case .stringArray(let texts): self = .array(texts.map { .string($0) })
            case .boolArray(let values): self = .array(values.map { .bool($0) })
            case .int32Array(let numbers): self = .array(numbers.map { .int(Int64($0)) })
            case .int64Array(let numbers): self = .array(numbers.map { .int($0) })
            case .doubleArray(let numbers): self = .array(numbers.map { .double($0) })
            case .stringConvertibleArray(let values): self = .array(values.map { .string("\($0)") })
            default: return nil
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            switch self {
            case .string(let text): try container.encode(text, forKey: .stringValue)
            case .bool(let value): try container.encode(value, forKey: .boolValue)
            case .int(let number): try container.encode("\(number)", forKey: .intValue)
            case .double(let number) where number.isFinite: try container.encode(number, forKey: .doubleValue)
            case .double(let number): try container.encode("\(number)", forKey: .stringValue)
            case .array(let values): try container.encode(Array(values: values), forKey: .arrayValue)
            }
        }
    }
}
