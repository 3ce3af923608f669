package import FoundationEssentials

/// A type whose values can be bound to a statement.
///
/// An enum with a bindable raw value needs to say only that it conforms.
package protocol PostgresBindable: Sendable {
    /// The value as a parameter.
    var postgresValue: PostgresValue { get }
}

extension PostgresValue: PostgresBindable {
    package var postgresValue: PostgresValue { self }
}

extension PostgresBindable where Self: RawRepresentable, RawValue: PostgresBindable {
    package var postgresValue: PostgresValue { self.rawValue.postgresValue }
}

extension Optional: PostgresBindable where Wrapped: PostgresBindable {
    package var postgresValue: PostgresValue { self?.postgresValue ?? .null }
}

extension String: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self) }
}

extension Int: PostgresBindable {
    package var postgresValue: PostgresValue { .text(String(self)) }
}

extension Int64: PostgresBindable {
    package var postgresValue: PostgresValue { .text(String(self)) }
}

extension Bool: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self ? "t" : "f") }
}

extension Double: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self.postgresText) }

    /// PostgreSQL spells the infinities and NaN in a way of its own.
    private var postgresText: String {
        guard !self.isNaN else { return "NaN" }
        guard self.isFinite else { return self < 0 ? "-Infinity" : "Infinity" }
        return self.description
    }
}

extension UUID: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self.text) }
}

extension Date: PostgresBindable {
    /// A `timestamptz`, in UTC, to the microsecond.
    package var postgresValue: PostgresValue { .text(Timestamp(self).text) }
}
