/// Recognizes JSON by the grammar of RFC 8259, with nothing but that grammar in mind.
struct JSONGrammar {
    private let bytes: [UInt8]
    private var place = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func accepts(_ bytes: [UInt8]) -> Bool {
        var grammar = JSONGrammar(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes)
        grammar.skipSpace()
        guard grammar.value() else { return false }
        grammar.skipSpace()
        return grammar.next == nil
    }

    /// How deep the brackets outside of text go.
    static func deepest(_ bytes: [UInt8]) -> Int {
        var (depth, deepest, isText, isEscaped) = (0, 0, false, false)
        for byte in bytes {
            if isText {
                if byte == UInt8(ascii: "\""), !isEscaped { isText = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            } else if byte == UInt8(ascii: "\"") {
                isText = true
            } else if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") {
                depth += 1
                deepest = max(deepest, depth)
            } else if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") {
                depth -= 1
            }
        }
        return deepest
    }

    private var next: UInt8? { self.place < self.bytes.count ? self.bytes[self.place] : nil }

    private mutating func skipSpace() {
        while let byte = self.next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { self.place += 1 }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard self.next == UInt8(ascii: scalar) else { return false }
        self.place += 1
        return true
    }

    private mutating func take(word: String) -> Bool {
        guard self.bytes[self.place...].starts(with: word.utf8) else { return false }
        self.place += word.utf8.count
        return true
    }

    private mutating func value() -> Bool {
        switch self.next {
        case UInt8(ascii: "{"): self.list("{", "}") { $0.member() }
        case UInt8(ascii: "["): self.list("[", "]") { $0.value() }
        case UInt8(ascii: "\""): self.text()
        case UInt8(ascii: "t"): self.take(word: "true")
        case UInt8(ascii: "f"): self.take(word: "false")
        case UInt8(ascii: "n"): self.take(word: "null")
        default: self.number()
        }
    }

    private mutating func list(
        _ open: Unicode.Scalar,
        _ close: Unicode.Scalar,
        _ element: (inout JSONGrammar) -> Bool
    ) -> Bool {
        guard self.take(open) else { return false }
        self.skipSpace()
        if self.take(close) { return true }
        repeat {
            self.skipSpace()
            guard element(&self) else { return false }
            self.skipSpace()
        } while self.take(",")
        return self.take(close)
    }

    private mutating func member() -> Bool {
        guard self.text() else { return false }
        self.skipSpace()
        guard self.take(":") else { return false }
        self.skipSpace()
        return self.value()
    }

    private mutating func text() -> Bool {
        guard self.take("\"") else { return false }
        while let byte = self.next {
            self.place += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): guard self.escape() else { return false }
            case ..<0x20: return false
            default: continue
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let byte = self.next else { return false }
        self.place += 1
        guard byte == UInt8(ascii: "u") else { return Array("\"\\/bfnrt".utf8).contains(byte) }
        let digits = self.bytes[self.place...].prefix(4)
        self.place += digits.count
        return digits.count == 4 && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
    }

    private mutating func number() -> Bool {
        _ = self.take("-")
        if !self.take("0") { guard self.digits() else { return false } }
        if self.take(".") { guard self.digits() else { return false } }
        guard self.take("e") || self.take("E") else { return true }
        _ = self.take("+") || self.take("-")
        return self.digits()
    }

    private mutating func digits() -> Bool {
        let start = self.place
        while let byte = self.next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.place += 1 }
        return self.place > start
    }
}
