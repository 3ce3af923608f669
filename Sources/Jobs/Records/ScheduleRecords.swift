package import Postgres

/// The schedules: jobs that are enqueued again and again, each period once for all replicas.
package struct ScheduleRecords: Sendable {
    let database: PostgresPool

    package init(_ database: PostgresPool) { self.database = database }

    /// All of them by name, as a JSON array of objects with the table's columns.
    package func list() async throws(PostgresError) -> String {
        let row = try await self.database.run(
            """
            SELECT coalesce(json_agg(s ORDER BY name), '[]')::text AS json FROM (
                SELECT name, kind, payload, every::text AS every, next_run_at, is_enabled, last_job_id, last_run_at
                FROM job_schedules) s
            """
        ).rows.first
        return try row?.read("json") ?? "[]"
    }

    /// Makes or replaces one; its next run is one period from now if it is new.
    package func set(_ name: String, kind: JobKind, payload: String, every: Duration)
        async throws(PostgresError)
    {
        _ = try await self.database.run(
            """
            INSERT INTO job_schedules (name, kind, payload, every, next_run_at)
            VALUES (\(name), \(kind.name), \(payload)::jsonb, \(every.milliseconds)::bigint * interval '1 ms',
                now() + \(every.milliseconds)::bigint * interval '1 ms')
            ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, payload = excluded.payload, every = excluded.every
            """
        )
    }

    /// Lets it run or rest; false if there is none of that name.
    package func enable(_ name: String, _ isEnabled: Bool) async throws(PostgresError) -> Bool {
        try await self.database.run(
            "UPDATE job_schedules SET is_enabled = \(isEnabled) WHERE name = \(name)"
        ).affectedRows == 1
    }

    /// False if there is none of that name.
    package func remove(_ name: String) async throws(PostgresError) -> Bool {
        try await self.database.run("DELETE FROM job_schedules WHERE name = \(name)").affectedRows == 1
    }
}
