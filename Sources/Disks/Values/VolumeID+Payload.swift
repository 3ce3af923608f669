package import AWS
import Jobs

extension VolumeID: PayloadValue {
    package static var requirement: String { "the id of a volume, such as vol-0123456789abcdef0" }

    package init?(wire: String) {
        guard Alphabet.lowercaseHexadecimal.spells(wire, after: "vol-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}
