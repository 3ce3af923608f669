import CPostgres

/// What the server answered to one step of a pipeline.
enum PostgresAnswer {
    case result(PostgresResult)
    case failure(PostgresAnswer.Failure)
    /// Skipped, since an earlier step of the same pipeline failed.
    case aborted
    case synchronised

    /// An error of the server, without the operation, which the reader of the answer knows.
    struct Failure {
        let sqlState: String
        let message: String
        let constraint: String?
    }

    init(_ result: OpaquePointer) {
        switch PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC: self = .synchronised
        case PGRES_PIPELINE_ABORTED: self = .aborted
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: self = .result(PostgresResult(result))
        default: self = .failure(Failure(result))
        }
    }
}

extension PostgresAnswer.Failure {
    fileprivate init(_ result: OpaquePointer) {
        self.sqlState = field(cpostgres_field_sqlstate, of: result) ?? "58000"
        self.message = field(cpostgres_field_message, of: result) ?? "the server gave no reason"
        self.constraint = field(cpostgres_field_constraint, of: result)
    }
}

extension PostgresResult {
    fileprivate init(_ result: OpaquePointer) {
        let columns = (0..<PQnfields(result)).map { String(cString: PQfname(result, $0)) }
        self.rows = (0..<PQntuples(result)).map { row in
            PostgresRow(columns: columns, values: columns.indices.map { text(row, CInt($0), of: result) })
        }
        self.affectedRows = Int(String(cString: PQcmdTuples(result))) ?? 0
    }
}

private func text(_ row: CInt, _ column: CInt, of result: OpaquePointer) -> String? {
    guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
        return nil
    }
    return String(cString: value)
}

private func field(_ name: Int32, of result: OpaquePointer) -> String? {
    PQresultErrorField(result, name).map { String(cString: $0) }
}

extension String {
    /// Without white space at the end, which libpq's messages have.
    var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
