/// Hands out the bytes of an input as values of many types; zeros when there are no more.
package struct ByteSource {
    private var rest: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) { self.rest = bytes[...] }

    package var isEmpty: Bool { self.rest.isEmpty }

    package mutating func byte() -> UInt8 { self.rest.popFirst() ?? 0 }

    package mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) -> Number {
        var number: Number = 0
        for _ in 0..<MemoryLayout<Number>.size {
            if Number.bitWidth > 8 { number <<= 8 }
            number |= Number(truncatingIfNeeded: self.byte())
        }
        return number
    }

    /// As many bytes as the next byte says.
    package mutating func bytes() -> [UInt8] {
        let count = Int(self.byte())
        defer { self.rest = self.rest.dropFirst(count) }
        return Array(self.rest.prefix(count))
    }

    /// The next bytes as text, with what is no UTF-8 replaced.
    package mutating func text() -> String { String(decoding: self.bytes(), as: UTF8.self) }

    /// Text, or nothing.
    package mutating func optionalText() -> String? { self.byte() & 1 == 1 ? self.text() : nil }
}
