import FoundationEssentials
import Postgres

extension Write {
    /// Enqueues another job in this job's transaction.
    ///
    /// `payload` becomes a JSON object. An id that follows from this job's keeps a repetition from enqueuing a second.
    package static func enqueue(_ kind: JobKind, _ payload: some Encodable, id: JobID) throws -> Write {
        let json = String(decoding: try JSONEncoder().encode(payload), as: UTF8.self)
        return Write("SELECT enqueue_job(\(kind.name)::text, \(json)::jsonb, \(id)::uuid)")
    }
}
