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
