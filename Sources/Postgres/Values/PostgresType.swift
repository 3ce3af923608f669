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
