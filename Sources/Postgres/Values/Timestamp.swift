import FoundationEssentials

/// A moment to the microsecond, between `Date` and PostgreSQL's ISO form `2026-01-02 03:04:05.678901+00`.
struct Timestamp: Equatable {
    /// Microseconds since 1970, UTC.
    let microseconds: Int64

    private static let microsecondsPerDay: Int64 = 86_400_000_000

    init(_ date: Date) {
        let micros = (date.timeIntervalSince1970 * 1_000_000).rounded()
        // The range of `timestamptz` reaches from 4713 BC to 294276 AD; text of ours stays within the years 1 to 9999.
        self.microseconds = Int64(min(max(micros, -62_135_596_800_000_000), 253_402_300_799_000_000))
    }

    /// Reads the ISO form; nil if the text has any other, or is after the year 294247, which 64 bits cannot count.
    init?(_ text: Span<UInt8>) {
        var reader = DigitReader(text: text.withUnsafeBufferPointer { Array($0) })
        guard let year = reader.number(), reader.take("-"), let month = reader.number(), reader.take("-"),
            let day = reader.number(), 1...12 ~= month, 1...31 ~= day
        else { return nil }
        var time: Int64 = 0
        if reader.take(" ") {
            guard let local = reader.timeOfDay(), let offset = reader.offset() else { return nil }
            time = local - offset
        }
        let days = Self.days(year: year, month: month, day: day)
        let (midnight, isTooLarge) = days.multipliedReportingOverflow(by: Self.microsecondsPerDay)
        let (micros, isTooFar) = midnight.addingReportingOverflow(time)
        guard reader.isAtEnd, !isTooLarge, !isTooFar else { return nil }
        self.microseconds = micros
    }

    /// The same moment as a `Date`.
    var date: Date {
        // Whole seconds and the rest apart, since a Double of all microseconds would be off by one here and there.
        let reference: Int64 = 978_307_200
        let (seconds, rest) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000)
        return Date(timeIntervalSinceReferenceDate: Double(seconds - reference) + Double(rest) / 1_000_000)
    }

    /// The ISO form, in UTC.
    var text: String {
        let (whole, rest) = self.microseconds.quotientAndRemainder(dividingBy: Self.microsecondsPerDay)
        let (days, time) = rest < 0 ? (whole - 1, rest + Self.microsecondsPerDay) : (whole, rest)
        let (year, month, day) = Self.civil(days: days)
        let (seconds, micros) = (time / 1_000_000, time % 1_000_000)
        return Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2) + " "
            + Self.padded(seconds / 3_600, 2) + ":" + Self.padded(seconds / 60 % 60, 2) + ":"
            + Self.padded(seconds % 60, 2) + "." + Self.padded(micros, 6) + "+00"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(width - digits.utf8.count, 0)) + digits
    }

    /// Days from 1970-01-01 to a day of the Gregorian calendar; years start in March, so leap days come last.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let (era, yearOfEra) = (shifted / 400, shifted % 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let (era, day) = (shifted / 146_097, shifted % 146_097)
        let yearOfEra = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfMonth)
    }
}

/// Reads numbers and marks from the front of a text.
private struct DigitReader {
    private let text: [UInt8]
    private var position = 0

    init(text: [UInt8]) {
        self.text = text
    }

    var isAtEnd: Bool { self.position == self.text.count }

    mutating func take(_ mark: Unicode.Scalar) -> Bool {
        guard !self.isAtEnd, self.text[self.position] == UInt8(ascii: mark) else { return false }
        self.position += 1
        return true
    }

    mutating func number() -> Int64? {
        let digits = self.text[self.position...].prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        guard 1...6 ~= digits.count else { return nil }
        self.position += digits.count
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// `hh:mm:ss` with up to six digits of a fraction, in microseconds.
    mutating func timeOfDay() -> Int64? {
        guard let hour = self.number(), self.take(":"), let minute = self.number(), self.take(":"),
            let second = self.number()
        else { return nil }
        var micros: Int64 = 0
        if self.take(".") {
            let start = self.position
            guard let fraction = self.number() else { return nil }
            micros = (self.position - start..<6).reduce(fraction) { value, _ in value * 10 }
        }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    }

    /// `+hh`, `-hh:mm` or `+hh:mm:ss` in microseconds; nothing is UTC.
    mutating func offset() -> Int64? {
        let isNegative = self.take("-")
        guard isNegative || self.take("+") else { return 0 }
        guard var seconds = self.number().map({ $0 * 3_600 }) else { return nil }
        if self.take(":") {
            guard let minutes = self.number() else { return nil }
            seconds += minutes * 60
        }
        if self.take(":") {
            guard let rest = self.number() else { return nil }
            seconds += rest
        }
        return (isNegative ? -seconds : seconds) * 1_000_000
    }
}
