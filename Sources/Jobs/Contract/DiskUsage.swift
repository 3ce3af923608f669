/// How much of a disk is in use, as du prints it; the value of the tag `disk_size`.
package struct DiskUsage: Hashable, Sendable, PayloadValue {
    package static let requirement = "a size as du prints it, such as 1.2G"

    package let text: String

    package init?(wire: String) {
        guard wire.utf8.count <= 32, wire.wholeMatch(of: /[0-9]+([.,][0-9]+)?[BKMGTPE]?/) != nil else {
            return nil
        }
        self.text = wire
    }

    /// What du has printed at the head of a listing: its first line, up to a tab.
    package init?(atTheHeadOf listing: some Collection<UInt8>) {
        let head = listing.prefix { $0 != UInt8(ascii: "\t") && $0 != UInt8(ascii: "\n") }
        self.init(wire: String(decoding: head, as: UTF8.self))
    }
}
