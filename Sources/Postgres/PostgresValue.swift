package import FoundationEssentials

/// A value as it is bound to a statement; the server infers its type from the place where it stands.
package enum PostgresValue: Sendable, Equatable {
    case null
    case text(String)
    case bytes([UInt8])
}

/// A type that can be bound to a statement.
package protocol PostgresBindable: Sendable {
    var postgresValue: PostgresValue { get }
}

extension PostgresValue: PostgresBindable {
    package var postgresValue: PostgresValue { self }
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

extension Double: PostgresBindable {
    package var postgresValue: PostgresValue { .text(String(self)) }
}

extension Bool: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self ? "t" : "f") }
}

extension UUID: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self.uuidString) }
}

extension [UInt8]: PostgresBindable {
    package var postgresValue: PostgresValue { .bytes(self) }
}

extension Optional: PostgresBindable where Wrapped: PostgresBindable {
    package var postgresValue: PostgresValue { self?.postgresValue ?? .null }
}
