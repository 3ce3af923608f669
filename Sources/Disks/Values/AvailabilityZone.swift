import Jobs

/// An availability zone, such as `us-east-2a`.
struct AvailabilityZone: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement = "an availability zone, such as us-east-2a"

    let description: String

    init?(wire: String) {
        guard wire.utf8.count <= 64, wire.wholeMatch(of: /[a-z]{2}(-[a-z]+)+-[0-9][a-z]/) != nil else {
            return nil
        }
        self.description = wire
    }
}
