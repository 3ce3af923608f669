/// A name that AWS gave to a thing; each kind of thing has its own type.
package protocol ResourceIdentifier:
    RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible, ExpressibleByStringLiteral
where RawValue == String, StringLiteralType == String {
    /// Takes any text; AWS judges it.
    init(rawValue: String)
}

extension ResourceIdentifier {
    /// The identifier as AWS writes it.
    package var description: String { self.rawValue }

    /// An identifier written in source.
    package init(stringLiteral value: String) { self.init(rawValue: value) }
}

/// Tags of a resource: value by key.
package typealias Tags = [String: String]
