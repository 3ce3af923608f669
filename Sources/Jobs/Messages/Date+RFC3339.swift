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
        guard text.dropFirst(Self.localTime.count).isEndOfRFC3339,
            let date = styles.lazy.compactMap({ try? $0.parse(text) }).first
        else { return nil }
        // The parser takes the thirtieth of February for the second of March, and years of five digits.
        let local = text.prefix(Self.localTime.count)
        guard let same = try? Date.ISO8601FormatStyle().parse(local + "Z"),
            same.rfc3339 == local + ".000Z"
        else { return nil }
        self = date
    }

    private static let localTime = "2025-01-02T03:04:05"
}

extension Substring {
    /// Whether it is what may follow the seconds: a fraction or none, and then `Z` or an offset.
    fileprivate var isEndOfRFC3339: Bool {
        var rest = self
        if rest.first == "." {
            let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
            guard !digits.isEmpty else { return false }
            rest = rest.dropFirst(1 + digits.count)
        }
        guard rest != "Z" else { return true }
        let parts = rest.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard rest.first == "+" || rest.first == "-", parts.count == 2,
            parts.allSatisfy({ $0.utf8.count == 2 }),
            let hours = Int(parts[0]), let minutes = Int(parts[1])
        else { return false }
        return 0...23 ~= hours && 0...59 ~= minutes
    }
}
