import Postgres

/// What the program's statements do with one table, and so what its role in PostgreSQL must be allowed.
struct TablePrivilege: Sendable {
    let table: String
    let verbs: [String]

    private init(_ table: String, _ verbs: String...) { (self.table, self.verbs) = (table, verbs) }

    /// All tables, the platform's first.
    static let needed = [
        TablePrivilege("alb_target_groups", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("disks", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("domain_mappings", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("gpu_types", "SELECT", "UPDATE"),
        TablePrivilege("reservations", "SELECT", "UPDATE"),
        TablePrivilege("job_attempts", "SELECT", "INSERT"),
        TablePrivilege("job_ledger", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("job_schedules", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("outbox", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("schema_migrations", "SELECT"),
        TablePrivilege("snapshot_deletions", "SELECT", "INSERT", "UPDATE", "DELETE"),
        TablePrivilege("workers", "SELECT", "INSERT", "UPDATE", "DELETE"),
    ]

    /// What the role of `connection` lacks, such as `role w lacks INSERT on outbox`; nil if nothing.
    ///
    /// A table that does not exist lacks nothing here: the schema's check reports it.
    static func lacking(on connection: PostgresConnection) async throws -> String? {
        let pairs = Self.needed.flatMap { table in table.verbs.map { (table.table, $0) } }
        let row = try await connection.run(
            """
            SELECT current_user::text AS role, string_agg(verb || ' on ' || name, ', ' ORDER BY name, verb) AS lacking
            FROM unnest(\(pairs.map(\.0))::text[], \(pairs.map(\.1))::text[]) AS needed (name, verb)
            WHERE NOT has_table_privilege(to_regclass(name), verb)
            """
        ).rows.first
        guard let row, let privileges: String = try row.readOptional("lacking") else { return nil }
        return "role \(try row.read("role", as: String.self)) lacks \(privileges)"
    }
}
