package import FoundationEssentials

/// A type of which whole arrays can be bound and read: `… = ANY(\(ids))`, `unnest(\(names)::text[])`.
///
/// Bytes are the exception that the rule is made for: `[UInt8]` is a `bytea`, not an array.
package protocol PostgresArrayElement: PostgresBindable, PostgresReadable {
    /// The whole array as one parameter.
    static func postgresValue(of elements: [Self]) -> PostgresValue
    /// Reads a whole array from its text form; nil if it is not in that form.
    static func array(postgresText text: Span<UInt8>, type: PostgresType) -> [Self]?
}

extension PostgresArrayElement {
    package static func postgresValue(of elements: [Self]) -> PostgresValue {
        .text(ArrayText.encode(elements.map(\.postgresValue)))
    }

    package static func array(postgresText text: Span<UInt8>, type: PostgresType) -> [Self]? {
        guard let texts = ArrayText.decode(text) else { return nil }
        var elements: [Self] = []
        for text in texts {
            guard let element = Self(postgresText: text.utf8Span.span, type: .unknown) else { return nil }
            elements.append(element)
        }
        return elements
    }
}

extension Array: PostgresBindable where Element: PostgresArrayElement {
    package var postgresValue: PostgresValue { Element.postgresValue(of: self) }
}

extension Array: PostgresReadable where Element: PostgresArrayElement {
    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let array = Element.array(postgresText: text, type: type) else { return nil }
        self = array
    }
}

extension String: PostgresArrayElement {}
extension Int: PostgresArrayElement {}
extension Int64: PostgresArrayElement {}
extension Bool: PostgresArrayElement {}
extension Double: PostgresArrayElement {}
extension UUID: PostgresArrayElement {}
extension Date: PostgresArrayElement {}

extension UInt8: PostgresArrayElement {
    package var postgresValue: PostgresValue { Int(self).postgresValue }

    package init?(postgresText text: Span<UInt8>, type: PostgresType) {
        guard let number = Int(postgresText: text, type: type) else { return nil }
        self.init(exactly: number)
    }

    package static func postgresValue(of elements: [UInt8]) -> PostgresValue { .bytes(elements) }

    package static func array(postgresText text: Span<UInt8>, type: PostgresType) -> [UInt8]? {
        guard type == .bytea else { return text.withUnsafeBufferPointer { Array($0) } }
        return HexText.decode(text)
    }
}
