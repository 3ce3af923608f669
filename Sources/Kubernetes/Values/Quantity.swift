/// An amount of a resource, exact: `500m`, `2k`, `1.5Gi`, `1E3`.
///
/// Held in billionths. What is smaller than one is rounded up, away from zero, and what is beyond 2⁶³-1 is that, as
/// Kubernetes itself does. (Kubernetes API reference, `Quantity`.)
package struct Quantity: Sendable, Hashable {
    private let billionths: Int128

    private init(billionths: Int128) {
        self.billionths = Swift.min(Swift.max(billionths, -Self.limit), Self.limit)
    }

    /// So many whole units.
    package init(_ units: Int) { self.init(billionths: Int128(units) * Self.unit) }

    package static let zero = Quantity(0)

    /// The number of units if there is no fraction, as must be of GPUs; nil otherwise.
    package var whole: Int? { self.billionths % Self.unit == 0 ? Int(self.billionths / Self.unit) : nil }

    /// The number of units, rounded up.
    package var roundedUp: Int {
        let (units, rest) = self.billionths.quotientAndRemainder(dividingBy: Self.unit)
        return Int(units) + (rest > 0 ? 1 : 0)
    }

    package static func + (one: Quantity, other: Quantity) -> Quantity {
        Quantity(billionths: one.billionths + other.billionths)
    }

    package static func - (one: Quantity, other: Quantity) -> Quantity {
        Quantity(billionths: one.billionths - other.billionths)
    }

    private static let unit: Int128 = 1_000_000_000
    private static let limit = Int128(Int64.max) * unit
}

extension Quantity: Comparable {
    package static func < (one: Quantity, other: Quantity) -> Bool { one.billionths < other.billionths }
}

extension Quantity {
    /// Reads the text that Kubernetes writes; nil if it is none.
    package init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        guard rest.count <= 256 else { return nil }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        var whole = rest.takeDigits()
        var fraction: [UInt8] = []
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = rest.takeDigits()
        }
        guard !whole.isEmpty || !fraction.isEmpty, let scale = Scale(suffix: rest) else { return nil }
        scale.shiftPoint(of: &whole, &fraction)
        let size = Self.size(of: whole, fraction, each: Int128(scale.factor) * Self.unit)
        self.init(billionths: isNegative ? -size : size)
    }

    /// The digits' value times `factor`, rounded up; not much more than the limit if it is more.
    private static func size(of whole: [UInt8], _ fraction: [UInt8], each factor: Int128) -> Int128 {
        var units: Int128 = 0
        for digit in whole {
            units = units * 10 + Int128(digit)
            if units * factor > self.limit { return self.limit }
        }
        // Division by ten from the last digit on: floors of floors are exact, what is lost is only noted.
        var part: Int128 = 0
        var isInexact = false
        for digit in fraction.reversed() {
            let (tenth, rest) = (part + Int128(digit) * factor).quotientAndRemainder(dividingBy: 10)
            part = tenth
            if rest != 0 { isInexact = true }
        }
        return units * factor + part + (isInexact ? 1 : 0)
    }
}

/// What a suffix multiplies by: a power of two, or one of ten.
private struct Scale {
    var factor: Int64 = 1
    var decimalExponent = 0

    init?(suffix: ArraySlice<UInt8>) {
        let text = String(decoding: suffix, as: UTF8.self)
        if let exponent = decimalExponents[text] {
            self.decimalExponent = exponent
        } else if let exponent = binaryExponents[text] {
            self.factor = 1 << exponent
        } else if let first = text.first, first == "e" || first == "E",
            let exponent = text.dropFirst().exponent
        {
            self.decimalExponent = exponent
        } else {
            return nil
        }
    }

    /// Moves the decimal point by the exponent.
    func shiftPoint(of whole: inout [UInt8], _ fraction: inout [UInt8]) {
        // With at most 256 digits, more than this comes to the same.
        let shift = min(max(self.decimalExponent, -600), 600)
        if shift >= 0 {
            let moved = fraction.prefix(shift)
            whole += moved + Array(repeating: 0, count: shift - moved.count)
            fraction.removeFirst(moved.count)
        } else {
            let moved = whole.suffix(-shift)
            fraction = Array(repeating: 0, count: -shift - moved.count) + moved + fraction
            whole.removeLast(moved.count)
        }
    }
}

private let decimalExponents = [
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
]
private let binaryExponents = ["Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60]

extension Substring {
    /// A whole number with or without a sign, held within what an exponent can need.
    fileprivate var exponent: Int? {
        let digits = self.first == "-" || self.first == "+" ? self.dropFirst() : self
        guard !digits.isEmpty,
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        let size = digits.utf8.reduce(0) { Swift.min($0 * 10 + Int($1 - UInt8(ascii: "0")), 10_000) }
        return self.first == "-" ? -size : size
    }
}

extension ArraySlice<UInt8> {
    /// Removes the decimal digits at the front and returns their values.
    fileprivate mutating func takeDigits() -> [UInt8] {
        let digits = self.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        self.removeFirst(digits.count)
        return digits.map { $0 - UInt8(ascii: "0") }
    }
}

extension Quantity: Decodable {
    /// A text, or a number as some clients write it.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try (try? container.decode(Int.self)).map(String.init) ?? container.decode(String.self)
        guard let quantity = Quantity(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "it is no quantity")
        }
        self = quantity
    }
}

/// Amounts by the name of the resource, such as `nvidia.com/gpu`.
package typealias Resources = [String: Quantity]
