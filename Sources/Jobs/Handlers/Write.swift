import FoundationEssentials
package import Postgres
import Traces
import Tracing

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

extension Write {
    /// Enqueues another job in this job's transaction, and in its trace.
    ///
    /// `payload` becomes a JSON object. An id that follows from this job's keeps a repetition from enqueuing a second.
    package static func enqueue(_ kind: JobKind, _ payload: some Encodable, id: JobID) throws -> Write {
        let json = String(decoding: try JSONEncoder().encode(payload), as: UTF8.self)
        let trace = ServiceContext.current?.trace?.traceparent
        return Write(
            own: "SELECT enqueue_job(\(kind.name)::text, \(json)::jsonb, \(id)::uuid, now(), \(trace)::text)"
        )
    }
}
