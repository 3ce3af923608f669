/// A switch in a payload.
package struct Switch: Hashable, Sendable, PayloadValue {
    package static let requirement = "true or false"

    package let isOn: Bool

    package init?(wire: Bool) { self.isOn = wire }
}
