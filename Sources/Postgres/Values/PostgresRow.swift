/// One row of a result, read column by column when asked.
package struct PostgresRow: Sendable {
    private let result: ResultHandle
    private let row: Int

    init(result: ResultHandle, row: Int) {
        self.result = result
        self.row = row
    }

    /// The value of a column that is never null.
    ///
    /// - Throws: `invalidValue` if there is no such column, if it is null, or if it is no `T`.
    package func read<T: PostgresReadable>(_ column: String, as: T.Type = T.self) throws(PostgresError) -> T {
        try self.required(self.readOptional(column, as: T.self), name: column)
    }

    /// The value of a column; nil if it is null.
    ///
    /// - Throws: `invalidValue` if there is no such column, or if it is no `T`.
    package func readOptional<T: PostgresReadable>(
        _ column: String,
        as: T.Type = T.self
    ) throws(PostgresError) -> T? {
        guard let index = self.result.column(named: column) else {
            throw Self.error("the result has no column \(column)")
        }
        return try self.value(at: index, name: column)
    }

    /// The value of the column at a place, counted from zero, that is never null.
    package func read<T: PostgresReadable>(at column: Int, as: T.Type = T.self) throws(PostgresError) -> T {
        try self.required(self.readOptional(at: column, as: T.self), name: String(column))
    }

    /// The value of the column at a place, counted from zero; nil if it is null.
    package func readOptional<T: PostgresReadable>(
        at column: Int,
        as: T.Type = T.self
    ) throws(PostgresError) -> T? {
        guard 0..<self.result.columnCount ~= column else {
            throw Self.error("the result has no column \(column)")
        }
        return try self.value(at: column, name: String(column))
    }

    /// Whether the result has a column of that name.
    package func hasColumn(_ column: String) -> Bool {
        self.result.column(named: column) != nil
    }

    /// Whether the value of a column is null, or the column missing.
    package func isNull(_ column: String) -> Bool {
        guard let index = self.result.column(named: column) else { return true }
        return self.result.isNull(row: self.row, column: index)
    }

    private func value<T: PostgresReadable>(at column: Int, name: String) throws(PostgresError) -> T? {
        guard !self.result.isNull(row: self.row, column: column) else { return nil }
        guard let value = self.result.read(row: self.row, column: column, as: T.self) else {
            throw Self.error("the value of column \(name) is no \(T.self)")
        }
        return value
    }

    private func required<T>(_ value: T?, name: String) throws(PostgresError) -> T {
        guard let value else { throw Self.error("column \(name) is null") }
        return value
    }

    private static func error(_ message: String) -> PostgresError {
        PostgresError(.invalidValue, operation: "read", message: message)
    }
}
