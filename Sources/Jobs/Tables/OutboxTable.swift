package import Postgres

/// What a person may have to know of the outbox.
package struct OutboxTable: Sendable {
    let database: PostgresPool

    package init(_ database: PostgresPool) { self.database = database }

    /// How many rows are set aside, since no attempt can help them, with the oldest one's id and error.
    package func setAside() async throws(PostgresError) -> (count: Int, oldest: Int, error: String)? {
        let row = try await self.database.run(
            """
            SELECT count(*) OVER () AS count, id, coalesce(set_aside_error, '') AS error FROM outbox
            WHERE set_aside_at IS NOT NULL ORDER BY set_aside_at, id LIMIT 1
            """
        ).rows.first
        guard let row else { return nil }
        return (try row.read("count"), try row.read("id"), try row.read("error"))
    }
}
