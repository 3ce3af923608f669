/// Follows a number of JSON byte by byte (RFC 8259, section 6).
struct NumberScan {
    private enum Part {
        case none, minus, zero, whole, point, fraction, letter, sign, exponent
    }

    private var part = Part.none

    /// Takes a byte that is outside of text; false if it breaks off a number, or makes it none.
    mutating func read(_ byte: UInt8) -> Bool {
        guard let next = self.part(after: byte) else { return false }
        self.part = next
        return true
    }

    private func part(after byte: UInt8) -> Part? {
        switch byte {
        case UInt8(ascii: "0") where self.part == .none || self.part == .minus: .zero
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self.partAfterDigit
        case UInt8(ascii: "-") where self.part == .none: .minus
        case UInt8(ascii: "-"), UInt8(ascii: "+"): self.part == .letter ? .sign : nil
        case UInt8(ascii: "."): self.part == .zero || self.part == .whole ? .point : nil
        // Outside of a number it is a letter of `true` or `false`.
        case UInt8(ascii: "e") where self.part == .none: Part.none
        case UInt8(ascii: "e"), UInt8(ascii: "E"):
            self.part == .zero || self.part == .whole || self.part == .fraction ? .letter : nil
        default: self.isWhole ? Part.none : nil
        }
    }

    private var partAfterDigit: Part? {
        switch self.part {
        case .none, .minus, .whole: .whole
        case .point, .fraction: .fraction
        case .letter, .sign, .exponent: .exponent
        case .zero: nil
        }
    }

    private var isWhole: Bool {
        switch self.part {
        case .none, .zero, .whole, .fraction, .exponent: true
        case .minus, .point, .letter, .sign: false
        }
    }
}
