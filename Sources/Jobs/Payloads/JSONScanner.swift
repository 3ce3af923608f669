/// Reads a JSON text (RFC 8259) once from its first byte to its last, and notes where the members of its object are.
///
/// It is stricter than the grammar in two things, since PostgreSQL stores neither: no NUL in any text, and no nesting
/// beyond `deepestJobBody`. Escapes are checked and left as they are; surrogates are not paired.
struct JSONScanner {
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    /// The members of the outermost object, in the order of the text.
    private(set) var members: [JSONMember] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark may be ignored (RFC 8259, section 8.1).
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { self.position = 3 }
    }

    /// The value that the whole text is.
    mutating func document() throws(Malformed) -> JSONToken {
        let value = try self.value()
        self.skipSpace()
        guard self.position == self.bytes.count else { throw self.broken() }
        return value
    }

    private mutating func value() throws(Malformed) -> JSONToken {
        self.skipSpace()
        switch self.next {
        case UInt8(ascii: "\""): return try self.text()
        case UInt8(ascii: "{"):
            return try self.nested(.object) { (scanner) throws(Malformed) in try scanner.object() }
        case UInt8(ascii: "["):
            return try self.nested(.array) { (scanner) throws(Malformed) in try scanner.array() }
        case UInt8(ascii: "t"): return try self.word("true", .truth)
        case UInt8(ascii: "f"): return try self.word("false", .falsehood)
        case UInt8(ascii: "n"): return try self.word("null", .null)
        default: return try self.number()
        }
    }

    private mutating func nested(
        _ kind: JSONToken.Kind,
        _ read: (inout JSONScanner) throws(Malformed) -> Void
    ) throws(Malformed) -> JSONToken {
        let start = self.position
        self.position += 1
        self.depth += 1
        guard self.depth <= deepestJobBody else {
            throw Malformed("json", "the body is nested more than \(deepestJobBody) deep")
        }
        try read(&self)
        self.depth -= 1
        return JSONToken(kind, start, self.position)
    }

    private mutating func object() throws(Malformed) {
        self.skipSpace()
        if self.take(UInt8(ascii: "}")) { return }
        repeat {
            self.skipSpace()
            guard self.next == UInt8(ascii: "\"") else { throw self.broken() }
            let name = try self.text()
            self.skipSpace()
            guard self.take(UInt8(ascii: ":")) else { throw self.broken() }
            let value = try self.value()
            if self.depth == 1 { self.members.append(JSONMember(name: name, value: value)) }
            self.skipSpace()
        } while self.take(UInt8(ascii: ","))
        guard self.take(UInt8(ascii: "}")) else { throw self.broken() }
    }

    private mutating func array() throws(Malformed) {
        self.skipSpace()
        if self.take(UInt8(ascii: "]")) { return }
        repeat {
            _ = try self.value()
            self.skipSpace()
        } while self.take(UInt8(ascii: ","))
        guard self.take(UInt8(ascii: "]")) else { throw self.broken() }
    }

    private mutating func word(_ word: StaticString, _ kind: JSONToken.Kind) throws(Malformed) -> JSONToken {
        let start = self.position
        for letter in word.description.utf8 {
            guard self.take(letter) else { throw self.broken() }
        }
        return JSONToken(kind, start, self.position)
    }
}

extension JSONScanner {
    /// Between its quotes.
    private mutating func text() throws(Malformed) -> JSONToken {
        self.position += 1
        let start = self.position
        var kind = JSONToken.Kind.text
        while let byte = self.next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw self.brokenText() }
            self.position += 1
            if byte == UInt8(ascii: "\\") {
                kind = .escapedText
                try self.escape()
            }
        }
        let end = self.position
        guard self.take(UInt8(ascii: "\"")) else { throw self.broken() }
        return JSONToken(kind, start, end)
    }

    /// What follows a backslash.
    private mutating func escape() throws(Malformed) {
        guard let byte = self.next, "\"\\/bfnrtu".utf8.contains(byte) else { throw self.brokenText() }
        self.position += 1
        guard byte == UInt8(ascii: "u") else { return }
        var isZero = true
        for _ in 0..<4 {
            guard let digit = self.next, Self.hexadecimal.contains(digit) else { throw self.brokenText() }
            isZero = isZero && digit == UInt8(ascii: "0")
            self.position += 1
        }
        guard !isZero else { throw Malformed("json", "the body holds \\u0000, which no text may hold") }
    }

    private static let hexadecimal = ASCIISet("0123456789abcdefABCDEF")

    private mutating func number() throws(Malformed) -> JSONToken {
        let start = self.position
        let isNegative = self.take(UInt8(ascii: "-"))
        guard ASCIISet.digits.contains(self.next) else {
            throw isNegative || self.next == UInt8(ascii: "+") ? self.brokenNumber() : self.broken()
        }
        if !self.take(UInt8(ascii: "0")) { self.skipDigits() }
        if self.take(UInt8(ascii: ".")) { try self.digits() }
        if self.take(UInt8(ascii: "e")) || self.take(UInt8(ascii: "E")) {
            if !self.take(UInt8(ascii: "+")) { _ = self.take(UInt8(ascii: "-")) }
            try self.digits()
        }
        guard !Self.numerals.contains(self.next) else { throw self.brokenNumber() }
        return JSONToken(.number, start, self.position)
    }

    private static let numerals = .digits + ASCIISet("+-.eE")

    /// One digit or more.
    private mutating func digits() throws(Malformed) {
        guard ASCIISet.digits.contains(self.next) else { throw self.brokenNumber() }
        self.skipDigits()
    }

    private mutating func skipDigits() {
        while ASCIISet.digits.contains(self.next) { self.position += 1 }
    }

    private mutating func skipSpace() {
        while let byte = self.next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            self.position += 1
        }
    }

    private var next: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.next == byte else { return false }
        self.position += 1
        return true
    }

    private func broken() -> Malformed {
        self.next == 0
            ? Malformed("json", "the body holds a NUL byte")
            : Malformed("json", "the body is not JSON (RFC 8259)")
    }

    private func brokenText() -> Malformed {
        self.next == 0
            ? self.broken()
            : Malformed("json", "the body is not JSON: text with a broken escape or a control character")
    }

    private func brokenNumber() -> Malformed {
        self.next == 0 ? self.broken() : Malformed("json", "the body is not JSON: a broken number")
    }
}
