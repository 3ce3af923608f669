extension [UInt8] {
    /// Appends one member of a JSON object, `separator` before it, with a string for its value.
    ///
    /// For the few objects of fixed shape that every job writes; an encoder takes ten times as long for them.
    package mutating func appendJSON(_ separator: String, _ key: String, _ value: String) {
        self += separator.utf8
        self.appendJSONString(key)
        self.append(UInt8(ascii: ":"))
        self.appendJSONString(value)
    }

    mutating func appendJSONString(_ text: String) {
        self.append(UInt8(ascii: "\""))
        if text.isPlainInJSON {
            self += text.utf8
        } else {
            for byte in text.utf8 { self.appendJSONByte(byte) }
        }
        self.append(UInt8(ascii: "\""))
    }

    private mutating func appendJSONByte(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): self += [UInt8(ascii: "\\"), byte]
        case 0..<0x20: self += "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8
        default: self.append(byte)
        }
    }
}

extension String {
    /// Whether it stands in JSON as it is, without an escape.
    fileprivate var isPlainInJSON: Bool {
        let bytes = self.utf8.span
        for index in bytes.indices {
            let byte = bytes[index]
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return false }
        }
        return true
    }
}
