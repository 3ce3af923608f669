/// A TCP port.
package struct Port: Hashable, Sendable, PayloadValue {
    package static let requirement = "a whole number from 1 to 65535"
    package static let schema = ValueSchema.whole(1...65535)

    package let number: Int

    package init?(wire: Int) {
        guard 1...65535 ~= wire else { return nil }
        self.number = wire
    }
}
