package import FoundationEssentials

extension Date {
    /// RFC 3339 in UTC with milliseconds: `2025-01-02T03:04:05.678Z`.
    package var rfc3339: String {
        self.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// Reads RFC 3339 with any offset and with or without a fraction; days and hours that do not exist are none.
    package init?(rfc3339 text: String) {
        let styles = [
            Date.ISO8601FormatStyle(includingFractionalSeconds: true), Date.ISO8601FormatStyle(),
        ]
        guard let date = styles.lazy.compactMap({ try? $0.parse(text) }).first else { return nil }
        // The parser takes the thirtieth of February for the second of March.
        let local = text.prefix("2025-01-02T03:04:05".count)
        guard let same = try? Date.ISO8601FormatStyle().parse(local + "Z"), same.rfc3339.hasPrefix(local)
        else {
            return nil
        }
        self = date
    }
}
