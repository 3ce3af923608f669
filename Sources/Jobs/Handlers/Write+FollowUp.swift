import FoundationEssentials
import Postgres
import Traces
import Tracing

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
