package import Postgres

/// The schedules: jobs that are enqueued again and again, each period once for all replicas.
package struct SchedulesTable: Sendable {
    let database: PostgresPool

    /// The constraint that a schedule breaks which cannot run.
    package static let canRun = "job_schedules_can_run"

    package init(_ database: PostgresPool) { self.database = database }

    /// All of them by name, as a JSON array of objects with the table's columns.
    package func list() async throws(PostgresError) -> String {
        let row = try await self.database.run(
            """
            SELECT coalesce(json_agg(s ORDER BY name), '[]')::text AS json FROM (
                SELECT name, kind, payload, every::text AS every, next_run_at, is_enabled, last_job_id, last_run_at,
                    last_error
                FROM job_schedules) s
            """
        ).rows.first
        return try row?.read("json") ?? "[]"
    }

    /// Those that disabled themselves, with their errors.
    package func failed() async throws(PostgresError) -> [(name: String, error: String)] {
        let rows = try await self.database.run(
            "SELECT name, last_error FROM job_schedules WHERE NOT is_enabled AND last_error IS NOT NULL ORDER BY name"
        ).rows
        return try rows.map { row throws(PostgresError) in (try row.read("name"), try row.read("last_error"))
        }
    }

    /// Makes or replaces one; its next run is one period from now if it is new.
    ///
    /// One that disabled itself runs again.
    package func set(_ name: String, kind: JobKind, payload: String, every: Duration)
        async throws(PostgresError)
    {
        _ = try await self.database.run(
            """
            INSERT INTO job_schedules (name, kind, payload, every, next_run_at)
            VALUES (\(name), \(kind.name), \(payload)::jsonb, \(every.milliseconds)::bigint * interval '1 ms',
                now() + \(every.milliseconds)::bigint * interval '1 ms')
            ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, payload = excluded.payload, every = excluded.every,
                is_enabled = job_schedules.is_enabled OR job_schedules.last_error IS NOT NULL, last_error = NULL
            """
        )
    }

    /// Lets it run or rest; false if there is none of that name.
    package func enable(_ name: String, _ isEnabled: Bool) async throws(PostgresError) -> Bool {
        try await self.database.run(
            """
            UPDATE job_schedules SET is_enabled = \(isEnabled),
                last_error = CASE WHEN NOT \(isEnabled) THEN last_error END
            WHERE name = \(name)
            """
        ).affectedRows == 1
    }

    /// False if there is none of that name.
    package func remove(_ name: String) async throws(PostgresError) -> Bool {
        try await self.database.run("DELETE FROM job_schedules WHERE name = \(name)").affectedRows == 1
    }
}
