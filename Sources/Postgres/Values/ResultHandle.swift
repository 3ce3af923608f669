import CPostgres
import Glibc

/// Owns one result of libpq and frees it with its last row.
///
/// A result never changes once it is complete, so any thread may read it and the last one may free it: that is why
/// the pointer may be shared.
final class ResultHandle: Sendable {
    nonisolated(unsafe) private let result: OpaquePointer

    init(_ result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(self.result)
    }

    var status: ExecStatusType { PQresultStatus(self.result) }
    var isSync: Bool { self.status == PGRES_PIPELINE_SYNC }
    var rowCount: Int { Int(PQntuples(self.result)) }
    var columnCount: Int { Int(PQnfields(self.result)) }

    /// How many rows the statement wrote, or returned.
    var affectedRows: Int { Int(String(cString: PQcmdTuples(self.result))) ?? 0 }

    /// The command as the server names it; `ROLLBACK` for a `COMMIT` that could not.
    var command: String { String(cString: PQcmdStatus(self.result)) }

    /// The place of the first column of that name.
    func column(named name: String) -> Int? {
        name.withCString { name in
            (0..<self.columnCount).first { column in
                PQfname(self.result, CInt(column)).map { strcmp($0, name) == 0 } ?? false
            }
        }
    }

    func isNull(row: Int, column: Int) -> Bool {
        PQgetisnull(self.result, CInt(row), CInt(column)) != 0
    }

    /// The text form of a value that is not null, read as `T`; nil if it has another form.
    func read<T: PostgresReadable>(row: Int, column: Int, as: T.Type) -> T? {
        let length = Int(PQgetlength(self.result, CInt(row), CInt(column)))
        let start = UnsafeRawPointer(PQgetvalue(self.result, CInt(row), CInt(column)))
        let text = UnsafeBufferPointer(start: start?.assumingMemoryBound(to: UInt8.self), count: length)
        return T(postgresText: text.span, type: PostgresType(rawValue: PQftype(self.result, CInt(column))))
    }

    /// The error that the server reports, for a statement that had `values` bound.
    func error(operation: String, values: [PostgresValue]) -> PostgresError {
        let sqlState = self.field(cpostgres_sqlstate)
        let primary = self.field(cpostgres_message)
        let fallback = String(cString: PQresultErrorMessage(self.result)).trimmed
        return PostgresError(
            self.code(sqlState: sqlState),
            operation: operation,
            message: Redaction.redact(primary ?? fallback, values: values, sqlState: sqlState ?? ""),
            sqlState: sqlState,
            constraint: self.field(cpostgres_constraint),
            table: self.field(cpostgres_table)
        )
    }

    /// The place of a notice or error in the server's program, its severity in English, and what it says.
    func field(_ code: CInt) -> String? {
        PQresultErrorField(self.result, code).map { String(cString: $0) }
    }

    private func code(sqlState: String?) -> PostgresError.Code {
        guard let sqlState else { return .connectionLost }
        // The one case of "feature not supported" that is no fault of the statement's.
        let isStale = sqlState == "0A000" && self.field(cpostgres_source_function) == "RevalidateCachedQuery"
        return isStale ? .stalePlan : PostgresError.Code(sqlState: sqlState)
    }
}

extension String {
    /// Without the line end that libpq puts after its messages.
    var trimmed: String {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
