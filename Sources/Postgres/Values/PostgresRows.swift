import CPostgres

/// The rows of a result, in the server's order.
package struct PostgresRows: RandomAccessCollection, Sendable {
    private let result: ResultHandle?

    /// Where the first row is.
    package let startIndex = 0
    /// One past the last row.
    package let endIndex: Int

    init(_ result: ResultHandle?) {
        self.result = result
        self.endIndex = result?.rowCount ?? 0
    }

    /// The row at a place.
    package subscript(position: Int) -> PostgresRow {
        guard let result = self.result, 0..<self.endIndex ~= position else {
            preconditionFailure("row \(position) of \(self.endIndex)")
        }
        return PostgresRow(result: result, row: position)
    }
}

/// What one statement gave back.
package struct PostgresResult: Sendable {
    private let result: ResultHandle

    init(_ result: ResultHandle) { self.result = result }

    /// The rows that it returned.
    package var rows: PostgresRows {
        PostgresRows(self.result.status == PGRES_TUPLES_OK ? self.result : nil)
    }

    /// The whole number in the first column of the first row, such as the id of a row that was inserted.
    package func firstInteger() throws(PostgresError) -> Int {
        guard !self.rows.isEmpty, self.result.columnCount > 0, !self.result.isNull(row: 0, column: 0),
            let number = self.result.read(row: 0, column: 0, as: Int.self)
        else {
            throw PostgresError(.invalidValue, operation: "read", message: "there is no whole number")
        }
        return number
    }

    /// How many rows it inserted, updated, deleted or, for a `SELECT`, returned.
    package var affectedRows: Int { self.result.affectedRows }
}
