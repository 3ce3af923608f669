package import FoundationEssentials

extension PostgresPool {
    /// What time it is for PostgreSQL, whose clock all replicas share.
    ///
    /// Whatever is decided by the time and outlasts the process goes by this one: the clock of a replica may be wrong.
    package func now() async throws(PostgresError) -> Date {
        let rows = try await self.run("SELECT now() AS now").rows
        return try rows[0].read("now")
    }
}
