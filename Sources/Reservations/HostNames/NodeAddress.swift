import Glibc
import Jobs

/// The address of a node, IPv4 or IPv6.
struct NodeAddress: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement = "an IPv4 or IPv6 address"
    static let schema = ValueSchema.text(atMost: 45, pattern: "^[0-9A-Fa-f:.]+$")
        .and("anyOf", [["format": "ipv4"], ["format": "ipv6"]])

    let description: String

    init?(wire: String) {
        var buffer = in6_addr()
        let isAddress = unsafe wire.withCString { text in
            unsafe inet_pton(AF_INET, text, &buffer) == 1 || inet_pton(AF_INET6, text, &buffer) == 1
        }
        guard isAddress else { return nil }
        self.description = wire
    }
}
