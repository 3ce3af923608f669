import FoundationEssentials

extension Date {
    /// ISO 8601 as AWS writes it: UTC as `Z` or an offset, any number of digits after the second.
    init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == dash, bytes[7] == dash, bytes[10] == UInt8(ascii: "T"),
            bytes[13] == colon, bytes[16] == colon,
            let year = bytes[0..<4].number, let month = bytes[5..<7].number, let day = bytes[8..<10].number,
            let hour = bytes[11..<13].number, let minute = bytes[14..<16].number,
            let second = bytes[17..<19].number,
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var rest = bytes[19...]
        var fraction = 0.0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { $0.isDigit }
            guard let value = digits.prefix(15).number else { return nil }
            fraction = Double(value) / (0..<min(digits.count, 15)).reduce(1.0) { power, _ in power * 10 }
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let offset = rest.offsetFromUTC else { return nil }
        let days = Date.daysSinceEpoch(year: year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
        self.init(timeIntervalSince1970: Double(seconds) + fraction)
    }
}

private let dash = UInt8(ascii: "-")
private let colon = UInt8(ascii: ":")

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}

extension ArraySlice<UInt8> {
    /// The decimal number that all of the bytes spell; there must be one at least.
    fileprivate var number: Int? {
        guard !self.isEmpty, self.allSatisfy(\.isDigit) else { return nil }
        return self.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// Seconds for `Z`, `+01:00` or `-0330`.
    fileprivate var offsetFromUTC: Int? {
        if self.elementsEqual([UInt8(ascii: "Z")]) { return 0 }
        let digits = self.dropFirst().filter { $0 != colon }[...]
        guard digits.count == 4, let hours = digits.prefix(2).number, let minutes = digits.suffix(2).number,
            self.first == UInt8(ascii: "+") || self.first == dash
        else { return nil }
        return (self.first == dash ? -1 : 1) * (hours * 60 + minutes) * 60
    }
}
