/// What a YAML document says, in JSON's terms, as Kubernetes reads it.
package indirect enum YAMLValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case sequence([YAMLValue])
    case mapping([String: YAMLValue])

    /// What a scalar without quotes means (YAML 1.2.2, section 10.3.2, without numbers in other systems than ours).
    init(plain text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE": self = .bool(true)
        case "false", "False", "FALSE": self = .bool(false)
        default:
            let isNumber = text.utf8.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
            if isNumber, let number = Int(text) {
                self = .int(number)
            } else if isNumber, let number = Double(text), number.isFinite {
                self = .double(number)
            } else {
                self = .string(text)
            }
        }
    }
}

extension YAMLValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .int(let number): try container.encode(number)
        case .double(let number): try container.encode(number)
        case .string(let text): try container.encode(text)
        case .sequence(let values): try container.encode(values)
        case .mapping(let values): try container.encode(values)
        }
    }
}

/// Why a document could not be read.
package struct YAMLError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
