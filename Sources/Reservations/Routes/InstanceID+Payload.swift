package import AWS
package import Jobs

extension InstanceID: PayloadValue {
    package static var requirement: String { "the id of an instance, such as i-0123456789abcdef0" }
    package static var schema: ValueSchema { .text(pattern: "^i-[0-9a-f]{8,17}$") }

    package init?(wire: String) {
        guard ASCIISet.lowercaseHexadecimal.spells(wire, after: "i-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}
