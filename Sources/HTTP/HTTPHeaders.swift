/// Header fields in order; names are compared without regard to letter case.
package struct HTTPHeaders: Sendable, Sequence, ExpressibleByDictionaryLiteral {
    private var fields: [(name: String, value: String)]

    /// Fields from names and values, in order.
    package init(_ fields: [(String, String)] = []) {
        self.fields = fields.map { (name: $0.0, value: $0.1) }
    }

    /// Fields written in source.
    package init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements)
    }

    /// The first value of a field; setting replaces all of them, nil removes them.
    package subscript(name: String) -> String? {
        get { self.fields.first { $0.name.equalsIgnoringCase(name) }?.value }
        set {
            self.fields.removeAll { $0.name.equalsIgnoringCase(name) }
            if let newValue { self.fields.append((name: name, value: newValue)) }
        }
    }

    /// Adds a field beside those of the same name.
    package mutating func append(_ name: String, _ value: String) {
        self.fields.append((name: name, value: value))
    }

    /// Names and values in order.
    package func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
        self.fields.makeIterator()
    }
}

extension String {
    /// Compares ASCII letters without regard to case, all else byte for byte.
    fileprivate func equalsIgnoringCase(_ other: String) -> Bool {
        self.utf8.count == other.utf8.count
            && zip(self.utf8, other.utf8).allSatisfy {
                $0 == $1 || ($0.lowercasedASCII == $1.lowercasedASCII)
            }
    }
}

extension UInt8 {
    fileprivate var lowercasedASCII: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}

extension Substring {
    /// Without the white space that may stand around a field's value.
    package var trimmingFieldSpace: String {
        let isSpace: (UInt8) -> Bool = { $0 == 32 || $0 == 9 || $0 == 10 || $0 == 13 }
        let start = self.utf8.drop(while: isSpace)
        let kept = start.reversed().drop(while: isSpace).reversed()
        return String(decoding: Array(kept), as: UTF8.self)
    }
}
