import FoundationEssentials

extension Date {
    /// The time of a signature, such as `20150830T123600Z`.
    var signatureTime: String {
        self.formatted(Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted))
    }

    /// ISO 8601 as AWS writes it: UTC as `Z` or an offset, with or without a fraction of the second.
    init?(iso8601 text: String) {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: text.utf8.contains(UInt8(ascii: ".")))
        guard let date = try? style.parse(text) else { return nil }
        self = date
    }

    /// The header `Date` in the form of RFC 9110, section 5.6.7, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    init?(httpDate text: String) {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", words[1].utf8.count == 2, words[3].utf8.count == 4,
            let month = monthNumbers[words[2]]
        else { return nil }
        self.init(iso8601: "\(words[3])-\(month)-\(words[1])T\(words[4])Z")
    }
}

private let monthNumbers: [Substring: String] = [
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
]
