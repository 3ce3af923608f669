package import Jobs

/// The id of a reservation, as in `reservations.reservation_id`.
package struct ReservationID: Hashable, Sendable, CustomStringConvertible, PayloadValue {
    package static let requirement =
        "1 to 255 of the characters A-Z, a-z, 0-9, '.', '_' and '-', a letter or digit first"
    package static let schema = ValueSchema.text(
        atLeast: 1,
        atMost: 255,
        pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$"
    )

    package let description: String

    package init?(wire: String) {
        guard wire.utf8.count <= 255, Self.alphabet.spells(wire),
            ASCIISet.lettersAndDigits.contains(wire.utf8.first)
        else { return nil }
        self.description = wire
    }

    private static let alphabet = .lettersAndDigits + ASCIISet("._-")
}
