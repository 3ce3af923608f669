import Glibc

/// A bound parameter, in the form in which it travels to the server.
///
/// The server infers its type from the statement; where it cannot, the statement says so: `\(count)::bigint`.
package struct PostgresValue: Sendable {
    enum Storage {
        case null
        case text(String)
        case binary([UInt8])
    }

    let storage: Storage

    private init(_ storage: Storage) {
        self.storage = storage
    }

    /// SQL's null.
    package static let null = PostgresValue(.null)

    /// A value in the text form of its type.
    package static func text(_ text: String) -> PostgresValue {
        PostgresValue(.text(text))
    }

    /// A document for a `json` or `jsonb` column, as text.
    package static func json(_ document: String) -> PostgresValue {
        PostgresValue(.text(document))
    }

    /// Bytes for a `bytea`, as they are.
    package static func bytes(_ bytes: [UInt8]) -> PostgresValue {
        PostgresValue(.binary(bytes))
    }

    /// In bytes.
    var size: Int {
        switch self.storage {
        case .null: 0
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        }
    }

    /// Whether this is text with a NUL in it, which the server cannot store and C would cut short.
    var hasNUL: Bool {
        guard case .text(let text) = self.storage else { return false }
        return text.hasNUL
    }
}

extension String {
    /// Whether the text holds a NUL, which no text of PostgreSQL can.
    package var hasNUL: Bool {
        self.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        } ?? self.utf8.contains(0)
    }
}

/// The type of a column, by its number in `pg_type`.
package struct PostgresType: RawRepresentable, Equatable, Sendable {
    /// The object identifier.
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Bytes, which come in hexadecimal.
    package static let bytea = PostgresType(rawValue: 17)
    /// A type that is not known here, such as that of an array's elements.
    package static let unknown = PostgresType(rawValue: 0)
}
