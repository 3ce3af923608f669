/// The 16 bytes that all spans of one trace share; never all zero.
package struct TraceID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init() { (self.high, self.low) = (.random(in: .min ... .max), .random(in: 1 ... .max)) }

    /// Reads 32 lower-case hexadecimal digits.
    init?(_ text: Substring) {
        guard text.utf8.count == 32, let high = UInt64(lowerHex: text.prefix(16)),
            let low = UInt64(lowerHex: text.suffix(16)), high | low != 0
        else { return nil }
        (self.high, self.low) = (high, low)
    }

    package var description: String { self.high.lowerHex + self.low.lowerHex }
}

/// The 8 bytes that name one span in its trace; never all zero.
package struct SpanID: Hashable, Sendable, CustomStringConvertible {
    private let value: UInt64

    package init() { self.value = .random(in: 1 ... .max) }

    /// Reads 16 lower-case hexadecimal digits.
    init?(_ text: Substring) {
        guard let value = UInt64(lowerHex: text), value != 0 else { return nil }
        self.value = value
    }

    package var description: String { self.value.lowerHex }
}

extension UInt64 {
    /// 16 digits.
    fileprivate var lowerHex: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension FixedWidthInteger {
    /// Reads as many digits as its width has, no sign and no capitals among them.
    init?(lowerHex digits: Substring) {
        let isDigit = digits.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        guard isDigit, digits.utf8.count == Self.bitWidth / 4 else { return nil }
        self.init(digits, radix: 16)
    }
}
