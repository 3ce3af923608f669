package import FoundationEssentials

/// A point in time in a payload: RFC 3339 with an offset.
package struct Moment: Hashable, Sendable, PayloadValue {
    package static let requirement = "a time as in RFC 3339, such as 2025-01-02T03:04:05Z"

    package let date: Date

    package init?(wire: String) {
        guard let date = Date(rfc3339: wire.uppercased()) else { return nil }
        self.date = date
    }
}
