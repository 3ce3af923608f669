package import AWS
import Jobs

extension SnapshotID: PayloadValue {
    package static var requirement: String { "the id of a snapshot, such as snap-0123456789abcdef0" }

    package init?(wire: String) {
        guard Alphabet.lowercaseHexadecimal.spells(wire, after: "snap-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}
