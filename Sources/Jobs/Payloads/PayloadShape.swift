/// A payload of a kind of job.
package protocol JobPayload: Sendable {
    static var shape: PayloadShape<Self> { get }
}

/// What the payloads of a kind are: names, types and requirements of their fields, each said once.
///
/// It decodes a body, names every fault of it at once, and prints the JSON Schema. Fields that it does not name are
/// ignored.
package struct PayloadShape<Payload: Sendable>: Sendable {
    private let fields: [FieldDescription]
    private let pairs: [(String, String)]
    private let make: Decoder

    /// Nil if there are faults, which are added to the others.
    typealias Decoder = @Sendable (JobBody, inout [PayloadFaults.Fault]) -> Payload?

    init(
        _ fields: [FieldDescription],
        _ pairs: [(String, String)] = [],
        _ make: @escaping Decoder
    ) {
        self.fields = fields
        self.pairs = pairs
        self.make = make
    }

    /// The same for payloads that have either both of two fields or neither.
    package func withBoth(_ one: String, _ other: String) -> PayloadShape {
        PayloadShape(self.fields, self.pairs + [(one, other)]) { body, faults in
            guard let payload = self.make(body, &faults) else { return nil }
            switch (body[one], body[other]) {
            case (nil, .some): faults.append(.init(path: one, complaint: "goes with \(other)"))
            case (.some, nil): faults.append(.init(path: other, complaint: "goes with \(one)"))
            default: return payload
            }
            return nil
        }
    }

    /// Throws `PayloadFaults` that name every field which is wrong.
    package func decode(_ body: JobBody) throws(PayloadFaults) -> Payload {
        guard body.isObject else { throw PayloadFaults("payload", "must be a JSON object") }
        var faults: [PayloadFaults.Fault] = []
        guard let payload = self.make(body, &faults) else { throw PayloadFaults(faults) }
        return payload
    }

    /// Names of the fields, a `?` after those that may be left out.
    package var fieldNames: [String] { self.fields.map { $0.isRequired ? $0.name : $0.name + "?" } }

    /// Whether a job can be asked only to report what it would do.
    package var canRehearse: Bool { self.fields.contains { $0.name == "dry_run" } }

    var keywords: [JSONNode.Member] {
        let dependencies = self.pairs.flatMap { one, other in
            [JSONNode.Member(one, .array([.text(other)])), .init(other, .array([.text(one)]))]
        }
        return ObjectSchema(properties: self.fields.map(\.property)).keywords
            + (dependencies.isEmpty ? [] : [.init("dependentRequired", .object(dependencies))])
    }
}

/// One field of a payload.
package struct PayloadField<Value: Sendable>: Sendable {
    /// Reads the value out of a body; nil if there is a fault, which is added to the others.
    typealias Reader = @Sendable (JobBody, inout [PayloadFaults.Fault]) -> Value?

    let description: FieldDescription
    let read: Reader

    private init(_ description: FieldDescription, _ read: @escaping Reader) {
        self.description = description
        self.read = read
    }
}

extension PayloadField where Value: PayloadValue {
    /// A field that must be there; `description` is for producers.
    package static func required(_ name: String, _ description: String) -> PayloadField {
        PayloadField(FieldDescription(name, isRequired: true, Value.schema.node(description))) {
            body,
            faults in
            guard let token = body[name] else {
                faults.append(PayloadFaults.Fault(path: name, complaint: "is required"))
                return nil
            }
            return Self.value(token, name, body, &faults)
        }
    }

    /// A field that stands for `usual` where it is absent or null.
    package static func optional(_ name: String, _ description: String, default usual: Value.Wire)
        -> PayloadField
    {
        guard let value = Value(wire: usual) else { preconditionFailure("\(name): \(usual) is no default") }
        let schema = Value.schema.orNull.node(description, default: usual.node)
        return PayloadField(FieldDescription(name, isRequired: false, schema)) { body, faults in
            guard let token = body[name] else { return value }
            return Self.value(token, name, body, &faults)
        }
    }

    fileprivate static func value(
        _ token: JSONToken,
        _ name: String,
        _ body: JobBody,
        _ faults: inout [PayloadFaults.Fault]
    ) -> Value? {
        if let wire = Value.Wire(token, in: body.bytes), let value = Value(wire: wire) { return value }
        faults.append(PayloadFaults.Fault(path: name, complaint: "must be \(Value.requirement)"))
        return nil
    }
}

extension PayloadField {
    /// A field that may be absent or null.
    package static func optional<Wrapped: PayloadValue>(_ name: String, _ description: String) -> PayloadField
    where Value == Wrapped? {
        let schema = Wrapped.schema.orNull.node(description)
        return PayloadField(FieldDescription(name, isRequired: false, schema)) { body, faults in
            guard let token = body[name] else { return .some(nil) }
            return PayloadField<Wrapped>.value(token, name, body, &faults).map { .some($0) }
        }
    }
}

extension PayloadField<Bool> {
    /// Whether the job only reports what it would do.
    package static var dryRun: PayloadField {
        .optional("dry_run", "Only report what would be done.", default: false)
    }
}

/// What is known of a field without its type.
struct FieldDescription: Sendable {
    fileprivate let property: ObjectSchema.Property

    init(_ name: String, isRequired: Bool, _ schema: JSONNode) {
        self.property = .init(name: name, isRequired: isRequired, schema: schema)
    }

    fileprivate var name: String { self.property.name }
    fileprivate var isRequired: Bool { self.property.isRequired }
}
