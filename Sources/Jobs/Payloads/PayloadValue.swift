package import FoundationEssentials

/// A type that a field of a payload can have.
package protocol PayloadValue: Sendable {
    /// What JSON holds.
    associatedtype Wire: JSONScalar

    /// What a field must be, as the end of "must be …".
    static var requirement: String { get }

    /// The same for programs, as far as JSON Schema can say it.
    static var schema: ValueSchema { get }

    /// Nothing if the value breaks the requirement.
    init?(wire: Wire)
}

extension Bool: PayloadValue {
    package static let requirement = "true or false"
    package static let schema = ValueSchema.truth

    package init?(wire: Bool) { self = wire }
}

extension PayloadValue where Self: RawRepresentable & CaseIterable, RawValue == String {
    /// `shutdown, cancellation or initial`.
    package static var requirement: String {
        let words = Self.allCases.map(\.rawValue)
        return words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
    }

    package static var schema: ValueSchema { .oneOf(Self.allCases.map(\.rawValue)) }

    package init?(wire: String) { self.init(rawValue: wire) }
}

/// A point in time in a payload: RFC 3339 with an offset.
package struct Moment: Hashable, Sendable, PayloadValue {
    package static let requirement = "a time as in RFC 3339, such as 2025-01-02T03:04:05Z"
    package static let schema = ValueSchema.text(
        format: "date-time",
        pattern: """
            ^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$
            """
    )

    package let date: Date

    package init?(wire: String) {
        guard let date = Date(rfc3339: wire.uppercased()) else { return nil }
        self.date = date
    }
}

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
