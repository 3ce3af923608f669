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
