/// A JSON value that keeps the order of its members, to be printed.
package indirect enum JSONNode: Sendable, Equatable {
    case null
    case truth(Bool)
    case integer(Int)
    case text(String)
    case array([JSONNode])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: JSONNode

        package init(_ name: String, _ value: JSONNode) {
            self.name = name
            self.value = value
        }
    }

    /// Indented by two spaces a level, without a line end after the last line.
    package var description: String {
        var bytes: [UInt8] = []
        self.append(to: &bytes, indentation: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(to bytes: inout [UInt8], indentation: Int) {
        switch self {
        case .null: bytes += "null".utf8
        case .truth(let truth): bytes += String(truth).utf8
        case .integer(let number): bytes += String(number).utf8
        case .text(let text): bytes.appendJSONString(text)
        case .array(let items):
            Self.append(items, to: &bytes, "[", "]", indentation) { item, bytes in
                item.append(to: &bytes, indentation: indentation + 1)
            }
        case .object(let members):
            Self.append(members, to: &bytes, "{", "}", indentation) { member, bytes in
                bytes.appendJSONString(member.name)
                bytes += ": ".utf8
                member.value.append(to: &bytes, indentation: indentation + 1)
            }
        }
    }

    private static func append<Item>(
        _ items: [Item],
        to bytes: inout [UInt8],
        _ opening: String,
        _ closing: String,
        _ indentation: Int,
        _ write: (Item, inout [UInt8]) -> Void
    ) {
        bytes += opening.utf8
        for (index, item) in items.enumerated() {
            bytes += "\(index == 0 ? "" : ",")\n\(String(repeating: "  ", count: indentation + 1))".utf8
            write(item, &bytes)
        }
        if !items.isEmpty { bytes += "\n\(String(repeating: "  ", count: indentation))".utf8 }
        bytes += closing.utf8
    }
}

extension JSONNode: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .truth(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .text(value) }
    package init(arrayLiteral elements: JSONNode...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONNode)...) {
        self = .object(elements.map { Member($0, $1) })
    }
}
