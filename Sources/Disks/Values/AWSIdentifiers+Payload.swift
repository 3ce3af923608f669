package import AWS
package import Jobs

extension SnapshotID: PayloadValue {
    package static var requirement: String { "the id of a snapshot, such as snap-0123456789abcdef0" }
    package static var schema: ValueSchema { .text(pattern: "^snap-[0-9a-f]{8,17}$") }

    package init?(wire: String) {
        guard ASCIISet.lowercaseHexadecimal.spells(wire, after: "snap-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}

extension VolumeID: PayloadValue {
    package static var requirement: String { "the id of a volume, such as vol-0123456789abcdef0" }
    package static var schema: ValueSchema { .text(pattern: "^vol-[0-9a-f]{8,17}$") }

    package init?(wire: String) {
        guard ASCIISet.lowercaseHexadecimal.spells(wire, after: "vol-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}
