package import FoundationEssentials
import Synchronization

extension Date {
    /// RFC 3339 in UTC with milliseconds: `2025-01-02T03:04:05.678Z`.
    package var rfc3339: String {
        var bytes: [UInt8] = []
        bytes.append(rfc3339: self)
        return String(decoding: bytes, as: UTF8.self)
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

extension [UInt8] {
    /// Appends a time as `Date.rfc3339` has it.
    package mutating func append(rfc3339 date: Date) {
        let second = date.timeIntervalSinceReferenceDate.rounded(.down)
        // The half of a microsecond covers what a Double cannot tell apart, so that what was read is written the same.
        let fraction = (date.timeIntervalSinceReferenceDate - second) * 1000 + 0.0005
        let milliseconds = Swift.min(999, Int(fraction))
        self.append(utf8: lastSecond.text(of: second))
        self.append(UInt8(ascii: "."))
        for part in [milliseconds / 100, milliseconds / 10 % 10, milliseconds % 10] {
            self.append(UInt8(ascii: "0") + UInt8(part))
        }
        self.append(UInt8(ascii: "Z"))
    }

    /// Appends a member of a JSON object with a time; `name` is all that stands before it, such as `,"time":`.
    package mutating func appendJSON(_ name: String, _ time: Date) {
        self.append(utf8: name)
        self.append(UInt8(ascii: "\""))
        self.append(rfc3339: time)
        self.append(UInt8(ascii: "\""))
    }
}

/// The last second that was written: each of its events and log lines would ask the calendar anew.
private let lastSecond = LastSecond()

private final class LastSecond: Sendable {
    private struct Written {
        var second = -Double.infinity
        var text = ""
    }

    private let last = Mutex(Written())

    /// Up to the seconds: `2025-01-02T03:04:05`.
    ///
    /// - Parameter second: A whole number of seconds since 2001, UTC.
    func text(of second: Double) -> String {
        self.last.withLock { last in
            if last.second != second {
                let date = Date(timeIntervalSinceReferenceDate: second)
                let text = String(date.formatted(Date.ISO8601FormatStyle()).dropLast())
                last = Written(second: second, text: text)
            }
            return last.text
        }
    }
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
