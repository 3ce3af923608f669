package import FoundationEssentials

/// A type that can be read from a column.
///
/// An enum with a readable raw value needs to say only that it conforms.
package protocol PostgresReadable {
    /// Reads the text form of a value of the given type; nil if the text is not of this form.
    init?(postgresText text: Span<UInt8>, type: PostgresType)
}

extension PostgresReadable where Self: RawRepresentable, RawValue: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let rawValue = RawValue(postgresText: text, type: type) else { return nil }
        self.init(rawValue: rawValue)
    }
}

extension String: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        self = text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

extension Int64: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        let isNegative = text.count > 1 && text[0] == UInt8(ascii: "-")
        let start = isNegative ? 1 : 0
        guard text.count > start else { return nil }
        var value: Int64 = 0
        for index in start..<text.count {
            guard let digit = text[index].decimalValue else { return nil }
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooFar) =
                isNegative
                ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
            guard !isTooLarge, !isTooFar else { return nil }
            value = sum
        }
        self = value
    }
}

extension Int: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let value = Int64(postgresText: text, type: type) else { return nil }
        self.init(exactly: value)
    }
}

extension Bool: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard text.count == 1 else { return nil }
        switch text[0] {
        case UInt8(ascii: "t"): self = true
        case UInt8(ascii: "f"): self = false
        default: return nil
        }
    }
}

extension Double: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let text = String(postgresText: text, type: type) else { return nil }
        self.init(text)
    }
}

extension UUID: PostgresReadable {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        self.init(text)
    }
}

extension Date: PostgresReadable {
    /// Reads a `timestamptz`, or a `timestamp` or `date` as UTC; nil for the infinities and years before Christ.
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let timestamp = Timestamp(text) else { return nil }
        self = timestamp.date
    }
}

extension Data: PostgresReadable {
    /// The bytes of a `bytea`; of any other type, its text.
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let bytes = [UInt8](postgresText: text, type: type) else { return nil }
        self.init(bytes)
    }
}

extension UInt8 {
    fileprivate var decimalValue: Int64? {
        let value = Int64(self) - 48
        return 0...9 ~= value ? value : nil
    }
}
