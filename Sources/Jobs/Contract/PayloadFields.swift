/// What is wrong with a payload: every offending field, by its path.
package struct PayloadFaults: Error, Equatable, CustomStringConvertible {
    package struct Fault: Sendable, Equatable {
        package let path: String
        package let complaint: String
    }

    package let faults: [Fault]

    package init(_ faults: [Fault]) { self.faults = faults }

    /// The fault of one field; the complaint is the end of a sentence, such as "is required".
    package init(_ path: String, _ complaint: String) {
        self.init([Fault(path: path, complaint: complaint)])
    }

    /// `size_gb: must be a whole number from 1 to 16384; disk_name: is required`.
    package var description: String {
        self.faults.map { "\($0.path): \($0.complaint)" }.joined(separator: "; ")
    }
}

/// A type that a field of a payload can have.
package protocol PayloadValue: Sendable {
    /// What JSON holds.
    associatedtype Wire: Decodable

    /// What a field must be, as the end of "must be …".
    static var requirement: String { get }

    /// Nothing if the value breaks the requirement.
    init?(wire: Wire)
}

/// One field to read.
package struct PayloadField<Value: Sendable>: Sendable {
    fileprivate let name: String
    fileprivate let read: @Sendable (PayloadFields, String) -> Result<Value, PayloadFaults>
}

extension PayloadField {
    /// A field that must be there.
    package static func required(_ name: String) -> PayloadField where Value: PayloadValue {
        PayloadField(name: name) { fields, name in
            switch fields.value(Value.self, name) {
            case .success(let value?): .success(value)
            case .success(nil): .failure(PayloadFaults([.init(path: name, complaint: "is required")]))
            case .failure(let faults): .failure(faults)
            }
        }
    }

    /// A field that may be absent or null.
    package static func optional<Wrapped: PayloadValue>(_ name: String) -> PayloadField
    where Value == Wrapped? {
        PayloadField(name: name) { fields, name in fields.value(Wrapped.self, name) }
    }
}

/// Reads the fields of a payload and collects what is wrong with all of them; fields nobody asks for are ignored.
package struct PayloadFields {
    private let container: KeyedDecodingContainer<FieldName>

    /// Throws `PayloadFaults` if the payload is no object.
    package init(_ decoder: any Decoder) throws {
        guard let container = try? decoder.container(keyedBy: FieldName.self) else {
            throw PayloadFaults([.init(path: "payload", complaint: "must be a JSON object")])
        }
        self.container = container
    }

    /// The value of the only field.
    ///
    /// Throws `PayloadFaults` if it is wrong.
    package func read<Value>(only field: PayloadField<Value>) throws -> Value {
        try field.read(self, field.name).get()
    }

    /// The values of `fields`, in their order.
    ///
    /// Throws `PayloadFaults` that name every field which is wrong.
    package func read<each Value>(_ field: repeat PayloadField<each Value>) throws -> (repeat each Value) {
        var faults: [PayloadFaults.Fault] = []
        let results = (repeat (each field).read(self, (each field).name))
        for result in repeat each results {
            if case .failure(let failure) = result { faults += failure.faults }
        }
        guard faults.isEmpty else { throw PayloadFaults(faults) }
        return (repeat try (each results).get())
    }

    fileprivate func value<Value: PayloadValue>(
        _ type: Value.Type,
        _ name: String
    ) -> Result<Value?, PayloadFaults> {
        let key = FieldName(stringValue: name)
        guard self.container.contains(key), (try? self.container.decodeNil(forKey: key)) == false else {
            return .success(nil)
        }
        guard let wire = try? self.container.decode(Value.Wire.self, forKey: key),
            let value = Value(wire: wire)
        else {
            return .failure(
                PayloadFaults([.init(path: name, complaint: "must be \(Value.requirement)")])
            )
        }
        return .success(value)
    }
}

private struct FieldName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
