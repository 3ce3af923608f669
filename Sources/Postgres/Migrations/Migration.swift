/// One step of the schema: SQL that is applied once, in a transaction of its own.
///
/// A step that builds or drops an index while its table stays in use cannot run in a transaction: each of its statements
/// runs by itself, ends with a line that ends in `;`, and does no harm when it is repeated (`IF NOT EXISTS`).
package struct Migration: Equatable, Sendable {
    /// The place in the order of all steps.
    package let version: Int
    /// What it is called.
    package let name: String
    /// One or several statements, without `BEGIN` and `COMMIT`.
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// Takes version and name from a file name such as `0001_ledger.sql`; nil for one of another form.
    package init?(fileName: String, sql: String) {
        let parts = fileName.split(separator: "_", maxSplits: 1)
        guard parts.count == 2, let version = Int(parts[0]), parts[1].hasSuffix(".sql") else { return nil }
        self.init(version: version, name: String(parts[1].dropLast(4)), sql: sql)
    }

    /// Whether it may not run in a transaction.
    var isConcurrent: Bool { self.sql.contains(" INDEX CONCURRENTLY ") }

    /// Its statements, where each of them runs by itself.
    var statements: [String] {
        self.sql.split(separator: ";\n").map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
    }
}
