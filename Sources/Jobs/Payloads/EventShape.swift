/// The `data` of the completion event of a kind.
package protocol EventData: Sendable {
    static var shape: EventShape<Self> { get }
}

extension EventData {
    /// Appends it as a JSON object.
    package func append(to bytes: inout [UInt8]) { Self.shape.append(self, to: &bytes) }

    /// As a JSON object.
    package var json: String {
        var bytes: [UInt8] = []
        self.append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What the data of an event are: names, types and meanings of their fields, each said once.
///
/// It writes an object straight into a buffer, and prints the JSON Schema.
package struct EventShape<Data>: Sendable {
    private let fields: [EventField<Data>]

    package init(_ fields: EventField<Data>...) { self.fields = fields }

    /// Appends `data` as a JSON object.
    package func append(_ data: Data, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        let start = bytes.count
        for field in self.fields {
            let end = bytes.count
            if bytes.count > start { bytes.append(UInt8(ascii: ",")) }
            bytes += field.prefix
            if !field.write(data, &bytes) { bytes.removeSubrange(end...) }
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// As the value of a field of other data.
    package var schema: ValueSchema { .object(ObjectSchema(properties: self.fields.map(\.property))) }

    var keywords: [JSONNode.Member] { ObjectSchema(properties: self.fields.map(\.property)).keywords }
}

/// One field of an event's data.
package struct EventField<Data>: Sendable {
    let property: ObjectSchema.Property

    /// The name as it is written, with the colon.
    fileprivate let prefix: [UInt8]

    /// Appends the value; false if there is none, and the field is left out.
    fileprivate let write: @Sendable (Data, inout [UInt8]) -> Bool

    private init(
        _ name: String,
        isRequired: Bool = true,
        _ schema: JSONNode,
        _ write: @escaping @Sendable (Data, inout [UInt8]) -> Bool
    ) {
        self.property = .init(name: name, isRequired: isRequired, schema: schema)
        var prefix: [UInt8] = []
        prefix.appendJSONString(name)
        prefix.append(UInt8(ascii: ":"))
        self.prefix = prefix
        self.write = write
    }
}

extension EventField {
    /// A field that is always there.
    package static func field<Value: JSONWritable>(
        _ name: String,
        _ description: String,
        as schema: ValueSchema = Value.usualSchema,
        _ value: @escaping @Sendable (Data) -> Value,
    ) -> EventField {
        EventField(name, schema.node(description)) { data, bytes in
            value(data).appendJSON(to: &bytes)
            return true
        }
    }

    /// A field that is always there, and null where there is no value.
    package static func nullable<Value: JSONWritable>(
        _ name: String,
        _ description: String,
        as schema: ValueSchema = Value.usualSchema,
        _ value: @escaping @Sendable (Data) -> Value?,
    ) -> EventField {
        EventField(name, schema.orNull.node(description)) { data, bytes in
            if let value = value(data) { value.appendJSON(to: &bytes) } else { bytes.append(utf8: "null") }
            return true
        }
    }

    /// A field that is left out where there is no value.
    package static func optional<Value: JSONWritable>(
        _ name: String,
        _ description: String? = nil,
        as schema: ValueSchema = Value.usualSchema,
        _ value: @escaping @Sendable (Data) -> Value?,
    ) -> EventField {
        EventField(name, isRequired: false, schema.node(description)) { data, bytes in
            guard let value = value(data) else { return false }
            value.appendJSON(to: &bytes)
            return true
        }
    }

    /// Whether the job was a dry run.
    package static func dryRun(_ value: @escaping @Sendable (Data) -> Bool) -> EventField {
        .field(
            "dry_run",
            "Whether this was a dry run, in which nothing was changed: the other fields say what would have been.",
            value
        )
    }
}

/// A type that can be written as JSON.
package protocol JSONWritable: Sendable {
    /// What JSON Schema says of it where no more is known.
    static var usualSchema: ValueSchema { get }

    func appendJSON(to bytes: inout [UInt8])
}

extension Bool: JSONWritable {
    package static let usualSchema = ValueSchema.truth
    package func appendJSON(to bytes: inout [UInt8]) { bytes.append(utf8: self ? "true" : "false") }
}

extension Int: JSONWritable {
    package static let usualSchema = ValueSchema.count
    package func appendJSON(to bytes: inout [UInt8]) { bytes.append(utf8: String(self)) }
}

extension String: JSONWritable {
    package static let usualSchema = ValueSchema.text()
    package func appendJSON(to bytes: inout [UInt8]) { bytes.appendJSONString(self) }
}

extension Array: JSONWritable where Element: JSONWritable {
    package static var usualSchema: ValueSchema { .list(of: Element.usualSchema) }

    package func appendJSON(to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "["))
        for (index, element) in self.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            element.appendJSON(to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }
}

extension JSONWritable where Self: EventData {
    package static var usualSchema: ValueSchema { Self.shape.schema }
    package func appendJSON(to bytes: inout [UInt8]) { self.append(to: &bytes) }
}

extension JSONWritable where Self: RawRepresentable & CaseIterable, RawValue == String {
    package static var usualSchema: ValueSchema { .oneOf(Self.allCases.map(\.rawValue)) }
    package func appendJSON(to bytes: inout [UInt8]) { bytes.appendJSONString(self.rawValue) }
}
