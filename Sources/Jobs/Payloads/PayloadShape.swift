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

    /// Throws the first fault.
    typealias Decoder = @Sendable (JobBody) throws(PayloadFaults.Fault) -> Payload

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
        PayloadShape(self.fields, self.pairs + [(one, other)]) { (body) throws(PayloadFaults.Fault) in
            let payload = try self.make(body)
            switch (body[one], body[other]) {
            case (nil, .some): throw PayloadFaults.Fault(path: one, complaint: "goes with \(other)")
            case (.some, nil): throw PayloadFaults.Fault(path: other, complaint: "goes with \(one)")
            default: return payload
            }
        }
    }

    /// Throws `PayloadFaults` that name every field which is wrong.
    package func decode(_ body: JobBody) throws(PayloadFaults) -> Payload {
        guard body.isObject else { throw PayloadFaults("payload", "must be a JSON object") }
        do throws(PayloadFaults.Fault) {
            return try self.make(body)
        } catch {
            let faults = self.fields.compactMap { $0.fault(body) }
            throw PayloadFaults(faults.isEmpty ? [error] : faults)
        }
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
    /// Reads the value out of a body.
    ///
    /// It throws, and does not return an optional: the type of one would be looked up at each call.
    typealias Reader = @Sendable (JobBody) throws(PayloadFaults.Fault) -> Value

    let description: FieldDescription
    let read: Reader

    private init(_ name: String, isRequired: Bool, _ schema: JSONNode, _ read: @escaping Reader) {
        self.description = FieldDescription(name, isRequired: isRequired, schema) { body in
            do throws(PayloadFaults.Fault) {
                _ = try read(body)
                return nil
            } catch {
                return error
            }
        }
        self.read = read
    }
}

extension PayloadField where Value: PayloadValue {
    /// A field that must be there; `description` is for producers.
    package static func required(_ name: String, _ description: String) -> PayloadField {
        let schema = Value.schema.node(description)
        return PayloadField(name, isRequired: true, schema) { (body) throws(PayloadFaults.Fault) in
            guard let token = body[name] else {
                throw PayloadFaults.Fault(path: name, complaint: "is required")
            }
            return try Self.value(token, name, body)
        }
    }

    /// A field that stands for `usual` where it is absent or null.
    package static func optional(_ name: String, _ description: String, default usual: Value.Wire)
        -> PayloadField
    {
        guard let value = Value(wire: usual) else { preconditionFailure("\(name): \(usual) is no default") }
        let schema = Value.schema.orNull.node(description, default: usual.node)
        return PayloadField(name, isRequired: false, schema) { (body) throws(PayloadFaults.Fault) in
            guard let token = body[name] else { return value }
            return try Self.value(token, name, body)
        }
    }

    fileprivate static func value(_ token: JSONToken, _ name: String, _ body: JobBody)
        throws(PayloadFaults.Fault) -> Value
    {
        guard let wire = Value.Wire(token, in: body.bytes), let value = Value(wire: wire) else {
            throw PayloadFaults.Fault(path: name, complaint: "must be \(Value.requirement)")
        }
        return value
    }
}

extension PayloadField {
    /// A field that may be absent or null.
    package static func optional<Wrapped: PayloadValue>(_ name: String, _ description: String) -> PayloadField
    where Value == Wrapped? {
        let schema = Wrapped.schema.orNull.node(description)
        return PayloadField(name, isRequired: false, schema) { (body) throws(PayloadFaults.Fault) in
            guard let token = body[name] else { return nil }
            return try PayloadField<Wrapped>.value(token, name, body)
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

    /// What is wrong with the field in a body; nil if nothing is.
    fileprivate let fault: @Sendable (JobBody) -> PayloadFaults.Fault?

    fileprivate init(
        _ name: String,
        isRequired: Bool,
        _ schema: JSONNode,
        fault: @escaping @Sendable (JobBody) -> PayloadFaults.Fault?
    ) {
        self.property = .init(name: name, isRequired: isRequired, schema: schema)
        self.fault = fault
    }

    fileprivate var name: String { self.property.name }
    fileprivate var isRequired: Bool { self.property.isRequired }
}
