/// A type that a JSON text can hold without nesting.
package protocol JSONScalar: Sendable {
    /// The same as a value of JSON.
    var node: JSONNode { get }

    /// Nil if the text holds another type there.
    init?(_ token: JSONToken, in body: [UInt8])
}

extension Bool: JSONScalar {
    package var node: JSONNode { .truth(self) }

    package init?(_ token: JSONToken, in body: [UInt8]) {
        switch token.kind {
        case .truth: self = true
        case .falsehood: self = false
        default: return nil
        }
    }
}

extension Int: JSONScalar {
    package var node: JSONNode { .integer(self) }

    /// `10.0` and `1e1` are whole numbers too, as in JSON Schema.
    package init?(_ token: JSONToken, in body: [UInt8]) {
        guard token.kind == .number else { return nil }
        let bytes = token.bytes(in: body)
        let text = String(decoding: bytes, as: UTF8.self)
        let isWhole = !bytes.contains { ".eE".utf8.contains($0) }
        guard let number = isWhole ? Int(text) : Double(text).flatMap({ Int(exactly: $0) }) else {
            return nil
        }
        self = number
    }
}

extension String: JSONScalar {
    package var node: JSONNode { .text(self) }

    /// Nil too where an escape is half of a surrogate pair.
    package init?(_ token: JSONToken, in body: [UInt8]) {
        switch token.kind {
        case .text: self.init(decoding: token.bytes(in: body), as: UTF8.self)
        case .escapedText: self.init(escaped: token.bytes(in: body))
        default: return nil
        }
    }

    /// Replaces the escapes of a text, which are known to be whole.
    private init?(escaped text: ArraySlice<UInt8>) {
        var units: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let letter = rest.popFirst() else {
                units.append(byte)
                continue
            }
            guard letter == UInt8(ascii: "u") else {
                units.append(Self.control(letter))
                continue
            }
            guard let scalar = Self.scalar(&rest) else { return nil }
            units += String(Character(scalar)).utf8
        }
        self.init(decoding: units, as: UTF8.self)
    }

    private static func control(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// What follows `\u`: four digits, or eight with the next `\u` between them.
    private static func scalar(_ rest: inout ArraySlice<UInt8>) -> Unicode.Scalar? {
        guard let first = Self.unit(&rest) else { return nil }
        guard UTF16.isLeadSurrogate(first) else { return Unicode.Scalar(first) }
        guard rest.popFirst() == UInt8(ascii: "\\"), rest.popFirst() == UInt8(ascii: "u"),
            let second = Self.unit(&rest), UTF16.isTrailSurrogate(second)
        else { return nil }
        return Unicode.Scalar(0x10000 + (UInt32(first) & 0x3FF) << 10 + UInt32(second) & 0x3FF)
    }

    private static func unit(_ rest: inout ArraySlice<UInt8>) -> UInt16? {
        defer { rest = rest.dropFirst(4) }
        return UInt16(String(decoding: rest.prefix(4), as: UTF8.self), radix: 16)
    }
}
