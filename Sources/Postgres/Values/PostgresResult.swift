import CPostgres

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
