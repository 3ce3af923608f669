/// How long a server asks to wait before the next request, within what a job can be made to wait.
///
/// A number from outside: a service that asks for a year, by mistake or by malice, gets a quarter of an hour.
package struct RequestedPause: Sendable {
    /// The longest pause that is granted.
    package static let longest: Duration = .seconds(900)

    /// Never negative, and never over `longest`.
    package let duration: Duration

    /// A pause of so many seconds.
    package init(seconds: Int) {
        // Compared as a number first: the largest integers are too much for the arithmetic of durations.
        self.duration = seconds < 900 ? .seconds(max(0, seconds)) : Self.longest
    }

    /// A pause of so many milliseconds.
    package init(milliseconds: Int) {
        self.duration = milliseconds < 900_000 ? .milliseconds(max(0, milliseconds)) : Self.longest
    }

    /// The seconds of a field `Retry-After` (RFC 9110, section 10.2.3); nil if it holds anything else.
    ///
    /// A date is not read: neither AWS nor Kubernetes sends one, and it would compare two clocks.
    package init?(header text: String) {
        guard let seconds = text.wholeNumber else { return nil }
        self.init(seconds: seconds)
    }

    /// The milliseconds of AWS's own field `x-amz-retry-after`; nil if it holds anything else.
    package init?(millisecondsHeader text: String) {
        guard let milliseconds = text.wholeNumber else { return nil }
        self.init(milliseconds: milliseconds)
    }
}

extension String {
    /// The number that is written in digits alone; one that is too large for an integer is the largest.
    fileprivate var wholeNumber: Int? {
        guard !self.isEmpty, self.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return Int(self) ?? .max
    }
}
