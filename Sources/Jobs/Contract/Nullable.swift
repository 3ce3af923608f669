/// A field of an event that is written as null where there is nothing, and not left out.
package struct Nullable<Value: Encodable & Sendable>: Encodable, Sendable {
    package let value: Value?

    package init(_ value: Value?) { self.value = value }

    package func encode(to encoder: any Encoder) throws {
        var field = encoder.singleValueContainer()
        if let value = self.value { try field.encode(value) } else { try field.encodeNil() }
    }
}
