/// A payload of a kind of job.
package protocol JobPayload: Sendable {
    static var shape: PayloadShape<Self> { get }
}

/// What the payloads of a kind are: names, types and requirements of their fields, each said once.
///
/// It decodes a body, names every fault of it at once, and prints the JSON Schema. Fields that it does not name are
/// ignored.
package struct PayloadShape<Payload: Sendable>: Sendable {
    private let fields: [AnyField]
    private let pairs: [(String, String)]
    private let make: @Sendable (JobBody) throws(PayloadFaults) -> Payload

    /// `make` gets the values of `fields`, in their order.
    package init<each Value: Sendable>(
        _ make: @escaping @Sendable (repeat each Value) -> Payload,
        _ field: repeat PayloadField<each Value>
    ) {
        var fields: [AnyField] = []
        for field in repeat each field { fields.append(field.description) }
        let readers = (repeat (each field).read)
        self.init(fields, []) { (body) throws(PayloadFaults) in
            var faults: [PayloadFaults.Fault] = []
            let results = (repeat (each readers)(body))
            for result in repeat each results {
                if case .failure(let failure) = result { faults += failure.faults }
            }
            guard faults.isEmpty else { throw PayloadFaults(faults) }
            return try make(repeat (each results).get())
        }
    }

    private init(
        _ fields: [AnyField],
        _ pairs: [(String, String)],
        _ make: @escaping @Sendable (JobBody) throws(PayloadFaults) -> Payload
    ) {
        self.fields = fields
        self.pairs = pairs
        self.make = make
    }

    /// The same for payloads that have either both of two fields or neither.
    package func withBoth(_ one: String, _ other: String) -> PayloadShape {
        PayloadShape(self.fields, self.pairs + [(one, other)]) { (body) throws(PayloadFaults) in
            let payload = try self.make(body)
            switch (body[one], body[other]) {
            case (nil, .some): throw PayloadFaults(one, "goes with \(other)")
            case (.some, nil): throw PayloadFaults(other, "goes with \(one)")
            default: return payload
            }
        }
    }

    /// Throws `PayloadFaults` that name every field which is wrong.
    package func decode(_ body: JobBody) throws(PayloadFaults) -> Payload {
        guard body.isObject else { throw PayloadFaults("payload", "must be a JSON object") }
        return try self.make(body)
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
    fileprivate let description: AnyField
    fileprivate let read: @Sendable (JobBody) -> Result<Value, PayloadFaults>
}

extension PayloadField where Value: PayloadValue {
    /// A field that must be there; `description` is for producers.
    package static func required(_ name: String, _ description: String) -> PayloadField {
        let property = AnyField(name, isRequired: true, Value.schema.node(description))
        return PayloadField(description: property) { body in
            Self.value(name, body).flatMap {
                $0.map { .success($0) } ?? .failure(PayloadFaults(name, "is required"))
            }
        }
    }

    /// A field that stands for `usual` where it is absent or null.
    package static func optional(_ name: String, _ description: String, default usual: Value.Wire)
        -> PayloadField
    {
        guard let value = Value(wire: usual) else { preconditionFailure("\(name): \(usual) is no default") }
        let property = AnyField(
            name,
            isRequired: false,
            Value.schema.orNull.node(description, default: usual.node)
        )
        return PayloadField(description: property) { body in Self.value(name, body).map { $0 ?? value } }
    }

    fileprivate static func value(_ name: String, _ body: JobBody) -> Result<Value?, PayloadFaults> {
        guard let token = body[name] else { return .success(nil) }
        guard let wire = Value.Wire(token, in: body.bytes), let value = Value(wire: wire) else {
            return .failure(PayloadFaults(name, "must be \(Value.requirement)"))
        }
        return .success(value)
    }
}

extension PayloadField {
    /// A field that may be absent or null.
    package static func optional<Wrapped: PayloadValue>(_ name: String, _ description: String) -> PayloadField
    where Value == Wrapped? {
        let property = AnyField(name, isRequired: false, Wrapped.schema.orNull.node(description))
        return PayloadField(description: property) { body in PayloadField<Wrapped>.value(name, body) }
    }
}

extension PayloadField<Bool> {
    /// Whether the job only reports what it would do.
    package static var dryRun: PayloadField {
        .optional("dry_run", "Only report what would be done.", default: false)
    }
}

/// What is known of a field without its type.
private struct AnyField: Sendable {
    let property: ObjectSchema.Property

    init(_ name: String, isRequired: Bool, _ schema: JSONNode) {
        self.property = .init(name: name, isRequired: isRequired, schema: schema)
    }

    var name: String { self.property.name }
    var isRequired: Bool { self.property.isRequired }
}
