package import Postgres

/// What people may read in the ledger, and the one thing that they may change in it.
package struct JobsTable: Sendable {
    private let database: PostgresPool

    package init(_ database: PostgresPool) { self.database = database }

    /// The newest jobs first, as a JSON array of objects with the ledger's columns.
    package func list(state: String?, kind: String?, limit: Int) async throws(PostgresError) -> String {
        try await self.json(
            """
            SELECT coalesce(json_agg(l), '[]')::text AS json FROM (
                SELECT * FROM job_ledger
                WHERE (\(state)::text IS NULL OR state = \(state)) AND (\(kind)::text IS NULL OR kind = \(kind))
                ORDER BY created_at DESC LIMIT \(limit)
            ) l
            """
        ) ?? "[]"
    }

    /// One job with its failed attempts and what of it waits in the outbox, as a JSON object; nil if nothing is known.
    package func show(_ job: JobID) async throws(PostgresError) -> String? {
        try await self.json(
            """
            SELECT (to_jsonb(l) || jsonb_build_object(
                'failed_attempts', (SELECT coalesce(jsonb_agg(a ORDER BY a.attempt), '[]') FROM job_attempts a
                    WHERE a.job_id = l.job_id),
                'outgoing', (SELECT coalesce(jsonb_agg(jsonb_build_object('available_at', o.available_at,
                    'destination', o.destination, 'routing_key', o.routing_key)), '[]')
                    FROM outbox o WHERE o.message_id = l.job_id::text)
            ))::text AS json FROM job_ledger l WHERE job_id = \(job)
            """
        )
    }

    /// How a job has ended.
    package struct Ending: Sendable {
        /// `succeeded`, `dead` or `cancelled`.
        package let state: String
        package let error: String?
        package let secondsAgo: Int
    }

    /// How a job has ended; nil if it has not, or has never come.
    package func ending(of job: JobID) async throws(PostgresError) -> Ending? {
        let row = try await self.database.run(
            """
            SELECT state, error, greatest(0, extract(epoch FROM now() - finished_at))::bigint AS age FROM job_ledger
            WHERE job_id = \(job) AND state IN ('succeeded', 'dead', 'cancelled')
            """
        ).rows.first
        guard let row else { return nil }
        return Ending(
            state: try row.read("state"),
            error: try row.readOptional("error"),
            secondsAgo: try row.readOptional("age") ?? 0
        )
    }

    /// What a wish to cancel came to.
    package enum Cancellation: Sendable, Equatable {
        /// It will not start.
        case cancelled
        /// It is left to finish.
        case running
        /// It had ended before, in this state.
        case ended(String)
    }

    /// Writes `cancelled`, whether the job has come yet or not, unless it runs or has ended.
    package func cancel(_ job: JobID) async throws(PostgresError) -> Cancellation {
        let results = try await self.database.pipeline([
            """
            INSERT INTO job_ledger AS l (job_id, kind, state, finished_at)
            VALUES (\(job), coalesce((SELECT type FROM outbox WHERE message_id = \(job)::text LIMIT 1), 'unknown'),
                'cancelled', now())
            ON CONFLICT (job_id) DO UPDATE SET state = 'cancelled', finished_at = now() WHERE l.state = 'waiting'
            """,
            "SELECT state FROM job_ledger WHERE job_id = \(job)",
        ])
        let state: String = try results[1].rows.first?.read("state") ?? "cancelled"
        switch state {
        case "running": return .running
        case "cancelled": return .cancelled
        default: return .ended(state)
        }
    }

    private func json(_ query: SQL) async throws(PostgresError) -> String? {
        try await self.database.run(query).rows.first.map { row throws(PostgresError) in try row.read("json")
        }
    }
}
