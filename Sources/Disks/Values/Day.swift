import FoundationEssentials
import Jobs

/// A day in UTC, written `YYYY-MM-DD`; the value of the tag `delete-date`.
struct Day: Hashable, Comparable, Sendable, CustomStringConvertible, PayloadValue {
    static let requirement = "a day as in RFC 3339, such as 2025-01-31"
    static let schema = ValueSchema.text(format: "date")

    let description: String

    /// When it begins.
    let start: Date

    init?(wire: String) {
        guard let start = Date(rfc3339: wire + "T00:00:00Z"), start.rfc3339.prefix(10) == wire else {
            return nil
        }
        self.description = wire
        self.start = start
    }

    /// The day that `date` falls on.
    init(of date: Date) {
        let days = (date.timeIntervalSince1970 / 86_400).rounded(.down)
        self.start = Date(timeIntervalSince1970: days * 86_400)
        self.description = String(self.start.rfc3339.prefix(10))
    }

    func adding(days: Int) -> Day { Day(of: self.start.addingTimeInterval(Double(days) * 86_400)) }

    static func < (one: Day, other: Day) -> Bool { one.start < other.start }
}
