extension [UInt8] {
    /// Appends one member of a JSON object with a string for its value.
    ///
    /// For the few objects of fixed shape that every job writes; an encoder takes ten times as long for them.
    ///
    /// - Parameter name: All that stands before the value, such as `,"id":`.
    package mutating func appendJSON(_ name: String, _ value: String) {
        self.append(utf8: name)
        self.appendJSONString(value)
    }

    /// Appends a text in quotes, with the escapes that it needs.
    package mutating func appendJSONString(_ text: String) {
        self.append(UInt8(ascii: "\""))
        let bytes = text.utf8.span
        if bytes.isPlainInJSON {
            self.append(bytes)
        } else {
            for index in bytes.indices { self.appendJSONByte(bytes[index]) }
        }
        self.append(UInt8(ascii: "\""))
    }

    /// Appends a text as it is.
    package mutating func append(utf8 text: String) { self.append(text.utf8.span) }

    private mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe self.append(contentsOf: $0) }
    }

    private mutating func appendJSONByte(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): self += [UInt8(ascii: "\\"), byte]
        case 0..<0x20: self += "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8
        default: self.append(byte)
        }
    }
}

extension Span<UInt8> {
    /// Whether the text stands in JSON as it is, without an escape.
    fileprivate var isPlainInJSON: Bool {
        for index in self.indices {
            let byte = self[index]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return false }
        }
        return true
    }
}
