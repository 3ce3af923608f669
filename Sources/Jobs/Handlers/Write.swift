package import Postgres

/// One statement of a job's transaction.
package struct Write: Sendable {
    package let sql: SQL

    /// How many rows it must affect for the transaction to commit; `nil` if any number will do.
    package let requiredRows: Int?

    /// Whether the worker needs it for itself, whatever the kind: if PostgreSQL refuses it, no job is to blame.
    let isOwn: Bool

    package init(_ sql: SQL, affecting requiredRows: Int? = nil) {
        self.sql = sql
        self.requiredRows = requiredRows
        self.isOwn = false
    }

    /// A statement on ledger or outbox.
    init(own sql: SQL) {
        self.sql = sql
        self.requiredRows = nil
        self.isOwn = true
    }
}
