package import Jobs

/// How much of a disk is in use, as du prints it; the value of the tag `disk_size`.
package struct DiskUsage: Hashable, Sendable, PayloadValue {
    package static let requirement = "a size as du prints it, such as 1.2G"
    package static let schema = ValueSchema.text(atMost: 32, pattern: "^[0-9]+([.,][0-9]+)?[BKMGTPE]?$")

    package let text: String

    package init?(wire: String) {
        let hasUnit = wire.utf8.last.map { "BKMGTPE".utf8.contains($0) } ?? false
        let number = wire.dropLast(hasUnit ? 1 : 0)
            .split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "." || $0 == "," }
        guard wire.utf8.count <= 32, number.allSatisfy({ ASCIISet.digits.spells($0) }) else { return nil }
        self.text = wire
    }

    /// What du has printed at the head of a listing: its first line, up to a tab.
    package init?(atTheHeadOf listing: some Collection<UInt8>) {
        let head = listing.prefix { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\n") }
        self.init(wire: String(decoding: head, as: UTF8.self))
    }
}
