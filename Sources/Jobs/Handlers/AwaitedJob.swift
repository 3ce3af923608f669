import FoundationEssentials
package import Postgres

/// A job that another one begins and then waits for, coming back now and then.
///
/// It is enqueued once, however often its beginning is asked for: its row in the ledger is made with its message.
package struct AwaitedJob: Sendable {
    private let kind: JobKind
    private let id: JobID
    private let database: PostgresPool

    package enum Progress: Sendable, Equatable {
        case notBegun
        /// Since when.
        case underWay(Duration)
        case ended(successfully: Bool)
    }

    /// `id` follows from that of the job that waits.
    package init(_ kind: JobKind, id: JobID, in database: PostgresPool) {
        self.kind = kind
        self.id = id
        self.database = database
    }

    /// Enqueues it, unless that has been done; `payload` becomes a JSON object.
    package func begin(_ payload: some Encodable) async throws {
        let enqueuing = try Write.enqueue(self.kind, payload, id: self.id).sql
        let claim: SQL = """
            WITH begun AS (
                INSERT INTO job_ledger (job_id, kind, state) VALUES (\(self.id), \(self.kind.name), 'waiting')
                ON CONFLICT (job_id) DO NOTHING RETURNING job_id
            )
            """
        _ = try await self.database.run(claim + " " + enqueuing + " FROM begun")
    }

    package func progress() async throws -> Progress {
        let row = try await self.database.run(
            """
            SELECT state, greatest(0, extract(epoch FROM now() - created_at))::bigint AS age
            FROM job_ledger WHERE job_id = \(self.id)
            """
        ).rows.first
        guard let row else { return .notBegun }
        let state: String = try row.read("state")
        switch state {
        case "succeeded": return .ended(successfully: true)
        case "dead", "cancelled": return .ended(successfully: false)
        default: return .underWay(.seconds(try row.read("age", as: Int.self)))
        }
    }
}
