package import Jobs

/// The name of a pod; the value of the tag `PodName`.
package struct PodName: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    package static let requirement =
        "the name of a pod: 1 to 253 of a-z, 0-9, '.' and '-', a letter or digit first and last"
    package static let schema = ValueSchema.text(
        atLeast: 1,
        atMost: 253,
        pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
    )

    package let description: String

    package init?(wire: String) {
        guard wire.utf8.count <= 253, Self.alphabet.spells(wire),
            ASCIISet.lowercaseAndDigits.contains(wire.utf8.first),
            ASCIISet.lowercaseAndDigits.contains(wire.utf8.last)
        else { return nil }
        self.description = wire
    }

    private static let alphabet = .lowercaseAndDigits + ASCIISet(".-")
}

/// What the platform notes on the pods of reservations.
package enum PodAnnotation {
    /// Whose pod it is.
    package static let user = "gpu-dev-user-id"
}
