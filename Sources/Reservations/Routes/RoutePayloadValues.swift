package import AWS
package import Jobs

/// A port that a service of Kubernetes opens on nodes; others lead to what no reservation has opened.
struct NodePort: Hashable, Sendable, PayloadValue {
    static let requirement = "a whole number from 30000 to 32767"
    static let schema = ValueSchema.whole(30_000...32_767)

    let number: Int

    init?(wire: Int) {
        guard 30_000...32_767 ~= wire else { return nil }
        self.number = wire
    }
}

extension InstanceID: PayloadValue {
    package static var requirement: String { "the id of an instance, such as i-0123456789abcdef0" }
    package static var schema: ValueSchema { .text(pattern: "^i-[0-9a-f]{8,17}$") }

    package init?(wire: String) {
        guard ASCIISet.lowercaseHexadecimal.spells(wire, after: "i-", 8...17) else { return nil }
        self.init(rawValue: wire)
    }
}

extension ValueSchema {
    /// An Amazon resource name.
    static let arn = ValueSchema.text(pattern: "^arn:")

    /// That of a resource of load balancing.
    static func arn(of resource: String) -> ValueSchema {
        .text(pattern: "^arn:[^:]+:elasticloadbalancing:[^:]*:[0-9]{12}:\(resource)/.+$")
    }
}
