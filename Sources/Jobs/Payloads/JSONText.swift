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
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): self += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: self += "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: self.append(byte)
            }
        }
        self.append(UInt8(ascii: "\""))
    }
}
