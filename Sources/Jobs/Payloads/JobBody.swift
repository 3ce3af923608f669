/// The largest body that is read; a larger one is malformed.
package let largestJobBody = 1 << 20

/// The deepest nesting of arrays and objects that is read.
package let deepestJobBody = 64

/// The body of a job's message: JSON, read once and kept as the bytes that came.
package struct JobBody: Sendable {
    package let bytes: [UInt8]

    /// What the text is; a payload must be an object.
    private let content: JSONToken
    private let members: [JSONMember]

    /// Throws `Malformed` if it is too large or too deep, or not JSON in UTF-8.
    package init(_ bytes: [UInt8]) throws(Malformed) {
        guard bytes.count <= largestJobBody else { throw Malformed(sizeOfBody: bytes.count) }
        guard (try? UTF8Span(validating: bytes.span)) != nil else {
            throw Malformed("encoding", "the body is not UTF-8")
        }
        var scanner = JSONScanner(bytes)
        self.content = try scanner.document()
        self.members = scanner.members
        self.bytes = bytes
    }

    package var isObject: Bool { self.content.kind == .object }

    /// The names of the object's members; of one whose escapes are half of a pair, nothing.
    var names: [String] { self.members.map { String($0.name, in: self.bytes) ?? "" } }

    /// What a member of the object holds; nil if there is none of that name, or if it holds null.
    ///
    /// Of two members with one name the first counts.
    subscript(_ name: String) -> JSONToken? {
        let value = self.members.first { $0.name.spells(name, in: self.bytes) }?.value
        return value?.kind == .null ? nil : value
    }

    /// The text that a member holds; nil if it is not there or is no text.
    package func text(_ name: String) -> String? { self[name].flatMap { String($0, in: self.bytes) } }
}
