/// A value of a JSON text, by the place of its bytes.
package struct JSONToken: Sendable {
    enum Kind: Sendable {
        /// `text` has no escapes.
        case null, truth, falsehood, number, text, escapedText, array, object
    }

    let kind: Kind
    private let start: Int32
    private let end: Int32

    /// Bodies are far smaller than 2 GiB.
    init(_ kind: Kind, _ start: Int, _ end: Int) {
        self.kind = kind
        (self.start, self.end) = (Int32(start), Int32(end))
    }

    /// A text without its quotes.
    func bytes(in body: [UInt8]) -> ArraySlice<UInt8> { body[Int(self.start)..<Int(self.end)] }

    /// Whether this text is `name`, escapes or not.
    func spells(_ name: String, in body: [UInt8]) -> Bool {
        switch self.kind {
        case .text: self.end - self.start == name.utf8.count && self.bytes(in: body).elementsEqual(name.utf8)
        case .escapedText: String(self, in: body) == name
        default: false
        }
    }
}

/// A name and its value.
struct JSONMember: Sendable {
    let name: JSONToken
    let value: JSONToken
}
