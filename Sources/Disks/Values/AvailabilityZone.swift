import Jobs

/// An availability zone, such as `us-east-2a`.
struct AvailabilityZone: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement = "an availability zone, such as us-east-2a"

    let description: String

    init?(wire: String) {
        let parts = wire.split(separator: "-", omittingEmptySubsequences: false)
        guard wire.utf8.count <= 64, parts.count >= 3, parts[0].utf8.count == 2, let place = parts.last?.utf8,
            parts.dropLast().allSatisfy({ Alphabet.lowercase.spells($0) }), place.count == 2,
            Alphabet.digits.contains(place.first), Alphabet.lowercase.contains(place.last)
        else { return nil }
        self.description = wire
    }
}
