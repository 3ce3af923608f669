import Jobs

/// The name of a disk, unique for its user; the value of the tag `disk_name`.
struct DiskName: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement = "1 to 128 of the characters A-Z, a-z, 0-9, '_' and '-'"

    let description: String

    init?(wire: String) {
        guard wire.utf8.count <= 128, Self.alphabet.spells(wire) else { return nil }
        self.description = wire
    }

    private static let alphabet = .lettersAndDigits + Alphabet("_-")
}
