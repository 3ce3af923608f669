/// A set of ASCII characters that names and ids are spelled with.
///
/// A look at each byte: a regular expression is compiled anew at each use, which costs a job more than its decoding.
package struct ASCIISet: Sendable {
    private var members: [Bool]

    package init(_ characters: String) {
        self.members = [Bool](repeating: false, count: 256)
        for byte in characters.utf8 { self.members[Int(byte)] = true }
    }

    package static let digits = ASCIISet("0123456789")
    package static let lowercase = ASCIISet("abcdefghijklmnopqrstuvwxyz")
    package static let lowercaseAndDigits = lowercase + digits
    package static let lowercaseHexadecimal = digits + ASCIISet("abcdef")
    package static let lettersAndDigits = lowercaseAndDigits + ASCIISet("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

    package static func + (left: ASCIISet, right: ASCIISet) -> ASCIISet {
        var union = left
        for index in union.members.indices {
            union.members[index] = left.members[index] || right.members[index]
        }
        return union
    }

    package func contains(_ byte: UInt8?) -> Bool { byte.map { self.members[Int($0)] } ?? false }

    /// Whether `text` is not empty and has no other characters.
    package func spells(_ text: some StringProtocol) -> Bool { self.spells(text.utf8) }

    /// Whether `text` is `prefix` and then so many of the characters.
    package func spells(_ text: String, after prefix: String, _ count: ClosedRange<Int>) -> Bool {
        let rest = text.utf8.dropFirst(prefix.utf8.count)
        return text.hasPrefix(prefix) && count.contains(rest.count) && self.spells(rest)
    }

    private func spells(_ text: some Collection<UInt8>) -> Bool {
        !text.isEmpty && text.allSatisfy { self.members[Int($0)] }
    }
}
