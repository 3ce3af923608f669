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
    /// The rows that it returned.
    package let rows: PostgresRows
    /// How many rows it inserted, updated, deleted or, for a `SELECT`, returned.
    package let affectedRows: Int

    init(_ result: ResultHandle) {
        self.rows = PostgresRows(result.status == PGRES_TUPLES_OK ? result : nil)
        self.affectedRows = result.affectedRows
    }
}
