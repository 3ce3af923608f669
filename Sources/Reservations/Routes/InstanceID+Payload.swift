package import AWS
import Jobs

extension InstanceID: PayloadValue {
    package static var requirement: String { "the id of an instance, such as i-0123456789abcdef0" }

    package init?(wire: String) {
        guard Alphabet.lowercaseHexadecimal.spells(wire, after: "i-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}
