package import Postgres

/// The workers that are there, and those that went without taking leave.
package struct WorkersTable: Sendable {
    let database: PostgresPool

    package init(_ database: PostgresPool) { self.database = database }

    /// All of them, the oldest first, as a JSON array of objects: the table's columns but for the lock, what each is
    /// seen as (`works`, `away` without its lock, `gone`), and how many jobs it has.
    ///
    /// No lock is taken to find out.
    package func list() async throws(PostgresError) -> String {
        let row = try await self.database.run(
            """
            SELECT coalesce(json_agg(w ORDER BY started_at, name), '[]')::text AS json FROM (
                SELECT name, version, queues, slots,
                    (SELECT count(*) FROM job_ledger WHERE state = 'running' AND holder = lock) AS running,
                    CASE WHEN EXISTS (
                        SELECT FROM pg_locks
                        WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
                            AND (classid::bigint << 32) | objid::bigint = lock
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) THEN 'works'
                        WHEN seen_at > now() - interval '12 seconds' THEN 'away' ELSE 'gone' END AS state,
                    started_at, seen_at, round(extract(epoch FROM now() - seen_at)::numeric, 1)::float8 AS seen_ago
                FROM workers) w
            """
        ).rows.first
        return try row?.read("json") ?? "[]"
    }
}
