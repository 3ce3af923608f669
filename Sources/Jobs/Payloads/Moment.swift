package import FoundationEssentials

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
