package import Jobs

/// The name of a disk, unique for its user; the value of the tag `disk_name`.
package struct DiskName: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    package static let requirement = "1 to 128 of the characters A-Z, a-z, 0-9, '_' and '-'"
    package static let schema = ValueSchema.text(atLeast: 1, atMost: 128, pattern: "^[a-zA-Z0-9_-]+$")

    package let description: String

    package init?(wire: String) {
        guard wire.utf8.count <= 128, Self.alphabet.spells(wire) else { return nil }
        self.description = wire
    }

    private static let alphabet = .lettersAndDigits + ASCIISet("_-")
}
