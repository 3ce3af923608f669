/// The text form of one-dimensional arrays: `{one,"two, three",NULL}` (PostgreSQL manual, 8.15.6).
enum ArrayText {
    static func encode(_ values: [PostgresValue]) -> String {
        "{" + values.map(Self.encode).joined(separator: ",") + "}"
    }

    private static func encode(_ value: PostgresValue) -> String {
        switch value.storage {
        case .null: "NULL"
        case .text(let text):
            text.quoted { $0 == "\"" || $0 == "\\" ? "\\" : nil }
        case .binary(let bytes): "\"\\\\x" + HexText.encode(bytes) + "\""
        }
    }

    /// The elements' texts; nil for arrays with nulls, of several dimensions, or with bounds of their own.
    static func decode(_ text: Span<UInt8>) -> [String]? {
        var parser = Parser(bytes: text.withUnsafeBufferPointer { Array($0) })
        return parser.parse()
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        mutating func parse() -> [String]? {
            guard self.take(UInt8(ascii: "{")) else { return nil }
            if self.take(UInt8(ascii: "}")) { return self.isAtEnd ? [] : nil }
            var elements: [String] = []
            repeat {
                guard let element = self.element() else { return nil }
                elements.append(element)
            } while self.take(UInt8(ascii: ","))
            return self.take(UInt8(ascii: "}")) && self.isAtEnd ? elements : nil
        }

        private var isAtEnd: Bool { self.position == self.bytes.count }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard !self.isAtEnd, self.bytes[self.position] == byte else { return false }
            self.position += 1
            return true
        }

        private mutating func element() -> String? {
            self.take(UInt8(ascii: "\"")) ? self.quoted() : self.plain()
        }

        private mutating func quoted() -> String? {
            var element: [UInt8] = []
            while !self.take(UInt8(ascii: "\"")) {
                _ = self.take(UInt8(ascii: "\\"))
                guard !self.isAtEnd else { return nil }
                element.append(self.bytes[self.position])
                self.position += 1
            }
            return String(decoding: element, as: UTF8.self)
        }

        private mutating func plain() -> String? {
            let ends = [UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "{")]
            let rest = self.bytes[self.position...]
            let element = rest.prefix { !ends.contains($0) }
            self.position += element.count
            let text = String(decoding: element, as: UTF8.self)
            return element.isEmpty || text == "NULL" ? nil : text
        }
    }
}
