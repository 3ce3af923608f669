import Jobs

/// An availability zone, such as `us-east-2a`.
struct AvailabilityZone: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement = "an availability zone, such as us-east-2a"
    static let schema = ValueSchema.text(pattern: "^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")

    let description: String

    init?(wire: String) {
        let parts = wire.split(separator: "-", omittingEmptySubsequences: false)
        guard wire.utf8.count <= 64, parts.count >= 3, parts[0].utf8.count == 2, let place = parts.last?.utf8,
            parts.dropLast().allSatisfy({ ASCIISet.lowercase.spells($0) }), place.count == 2,
            ASCIISet.digits.contains(place.first), ASCIISet.lowercase.contains(place.last)
        else { return nil }
        self.description = wire
    }
}
