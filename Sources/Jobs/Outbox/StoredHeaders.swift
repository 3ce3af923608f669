import FoundationEssentials
import RabbitMQ

/// Headers as the outbox keeps them: a JSON array of `[name, AMQP type letter, value]`.
///
/// Order, repeated names and integer widths survive. Bytes are in base64 (`S64` is a long string that is no
/// UTF-8), floating point numbers are their bit patterns.
struct StoredHeaders: Codable {
    let table: FieldTable

    init(_ table: FieldTable) { self.table = table }

    init(from decoder: any Decoder) throws {
        self.table = try FieldTable(storedIn: decoder.unkeyedContainer())
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.unkeyedContainer()
        try self.table.store(in: &fields)
    }

    /// As JSON text.
    static func json(_ table: FieldTable) throws -> String {
        String(decoding: try JSONEncoder().encode(StoredHeaders(table)), as: UTF8.self)
    }

    /// From JSON text.
    static func table(fromJSON json: String) throws -> FieldTable {
        try JSONDecoder().decode(StoredHeaders.self, from: Data(json.utf8)).table
    }
}

extension FieldTable {
    fileprivate init(storedIn fields: any UnkeyedDecodingContainer) throws {
        var fields = fields
        self.init()
        while !fields.isAtEnd {
            var field = try fields.nestedUnkeyedContainer()
            let name = try field.decode(String.self)
            self.entries.append(Entry(name: name, value: try FieldValue(storedIn: &field)))
        }
    }

    fileprivate func store(in fields: inout any UnkeyedEncodingContainer) throws {
        for entry in self.entries {
            var field = fields.nestedUnkeyedContainer()
            try field.encode(entry.name)
            try entry.value.store(in: &field)
        }
    }
}

extension FieldValue {
    /// Reads the dead-letter message and the value that follow a name.
    fileprivate init(storedIn field: inout any UnkeyedDecodingContainer) throws {
        switch try field.decode(String.self) {
        case "t": self = .bool(try field.decode(Bool.self))
        case "b": self = .int8(try field.decode(Int8.self))
        case "B": self = .uint8(try field.decode(UInt8.self))
        case "s": self = .int16(try field.decode(Int16.self))
        case "u": self = .uint16(try field.decode(UInt16.self))
        case "I": self = .int32(try field.decode(Int32.self))
        case "i": self = .uint32(try field.decode(UInt32.self))
        case "l": self = .int64(try field.decode(Int64.self))
        case "L": self = .uint64(try field.decode(UInt64.self))
        case "f": self = .float(Float(bitPattern: try field.decode(UInt32.self)))
        case "d": self = .double(Double(bitPattern: try field.decode(UInt64.self)))
        case "D": self = .decimal(scale: try field.decode(UInt8.self), value: try field.decode(UInt32.self))
        case "S": self = .string(try field.decode(String.self))
        case "S64": self = .opaqueString([UInt8](try field.decode(Data.self)))
        case "x": self = .bytes([UInt8](try field.decode(Data.self)))
        case "T": self = .timestamp(try field.decode(UInt64.self))
        case "F": self = .table(try FieldTable(storedIn: field.nestedUnkeyedContainer()))
        case "A": self = .array(try Self.array(storedIn: field.nestedUnkeyedContainer()))
        case "V": self = .void
        case let letter:
            throw DecodingError.dataCorruptedError(
                in: field,
                debugDescription: "no AMQP type has the letter \(letter)"
            )
        }
    }

    private static func array(storedIn fields: any UnkeyedDecodingContainer) throws -> [FieldValue] {
        var fields = fields
        var values: [FieldValue] = []
        while !fields.isAtEnd {
            var field = try fields.nestedUnkeyedContainer()
            values.append(try FieldValue(storedIn: &field))
        }
        return values
    }

    fileprivate func store(in field: inout any UnkeyedEncodingContainer) throws {
        switch self {
        case .bool(let value): try field.store("t", value)
        case .int8(let value): try field.store("b", value)
        case .uint8(let value): try field.store("B", value)
        case .int16(let value): try field.store("s", value)
        case .uint16(let value): try field.store("u", value)
        case .int32(let value): try field.store("I", value)
        case .uint32(let value): try field.store("i", value)
        case .int64(let value): try field.store("l", value)
        case .uint64(let value): try field.store("L", value)
        case .float(let value): try field.store("f", value.bitPattern)
        case .double(let value): try field.store("d", value.bitPattern)
        case .decimal(let scale, let value):
            try field.store("D", scale)
            try field.encode(value)
        case .string(let value): try field.store("S", value)
        case .opaqueString(let bytes): try field.store("S64", Data(bytes))
        case .bytes(let bytes): try field.store("x", Data(bytes))
        case .timestamp(let value): try field.store("T", value)
        case .table(let table):
            try field.encode("F")
            var fields = field.nestedUnkeyedContainer()
            try table.store(in: &fields)
        case .array(let values):
            try field.encode("A")
            var fields = field.nestedUnkeyedContainer()
            for value in values {
                var element = fields.nestedUnkeyedContainer()
                try value.store(in: &element)
            }
        case .void: try field.encode("V")
        }
    }
}

extension UnkeyedEncodingContainer {
    fileprivate mutating func store(_ letter: String, _ value: some Encodable) throws {
        try self.encode(letter)
        try self.encode(value)
    }
}
