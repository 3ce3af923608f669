/// The steps of the schema in their order, and how they get into a database.
///
/// What has been applied stands in `schema_migrations`, with a SHA-256 of its text computed by the server. Each step
/// is one transaction under an advisory lock, so several programs may migrate at once, and a pooler may stand in
/// between.
package struct Migrations: Sendable {
    /// The key of the advisory lock: "gpudev" in ASCII and the number of this use of it.
    private static let lockKey: Int64 = 0x6770_7564_6576_0001

    private let migrations: [Migration]

    /// Puts the steps in order; two of one version are a programmer's mistake.
    package init(_ migrations: [Migration]) {
        precondition(
            Set(migrations.map(\.version)).count == migrations.count,
            "two migrations have one version"
        )
        self.migrations = migrations.sorted { $0.version < $1.version }
    }

    /// Compares with what a database has; writes nothing.
    package func check(on connection: PostgresConnection) async throws(PostgresError) -> MigrationStatus {
        let table = try await connection.run(
            "SELECT to_regclass('schema_migrations') IS NOT NULL AS is_there"
        )
        guard try table.rows.first?.read("is_there", as: Bool.self) == true else {
            var status = MigrationStatus()
            status.pending = self.migrations.map(\.version)
            return status
        }
        return try await self.status(of: connection.run(self.comparison))
    }

    /// Applies what is missing and returns the versions that this call has applied.
    ///
    /// - Parameters:
    ///   - connection: A connection that nobody else uses meanwhile.
    ///   - lockLimit: How long to wait for another program that migrates, or for a lock on a table.
    ///   - limit: How long one step may take.
    ///   - acceptsUnknown: Whether a database that has later steps than are known here is left as it is.
    /// - Returns: Versions, in their order.
    /// - Throws: `migrationMismatch` when an applied step is not the one known here, or is not known; `lockTimeout`.
    package func apply(
        on connection: PostgresConnection,
        waitingForLocks lockLimit: Duration = .seconds(60),
        within limit: Duration = .seconds(600),
        acceptsUnknown: Bool = false
    ) async throws -> [Int] {
        var applied: [Int] = []
        while let version = try await self.applyNext(on: connection, lockLimit, limit, acceptsUnknown) {
            applied.append(version)
        }
        return applied
    }

    /// Applies the first missing step; nil if none is missing.
    private func applyNext(
        on connection: PostgresConnection,
        _ lockLimit: Duration,
        _ limit: Duration,
        _ acceptsUnknown: Bool
    ) async throws -> Int? {
        try await connection.transaction(within: limit + lockLimit) { transaction in
            try await transaction.pipeline([
                "SELECT set_config('lock_timeout', \(String(lockLimit.wholeMilliseconds)), true)",
                "SELECT set_config('statement_timeout', \(String((limit + lockLimit).wholeMilliseconds)), true)",
                "SELECT pg_advisory_xact_lock(\(Self.lockKey))",
                Self.table,
            ])
            let status = try await self.status(of: transaction.run(self.comparison))
            try self.refuseMismatch(status, acceptsUnknown)
            guard let next = self.migrations.first(where: { status.pending.contains($0.version) }) else {
                return nil
            }
            try await connection.runScript(next.sql, within: limit)
            try await self.record(next, in: transaction)
            return next.version
        }
    }

    private func record(_ migration: Migration, in transaction: Transaction) async throws(PostgresError) {
        guard await transaction.connection.isInTransaction else {
            throw TransactionState.misuse("migration \(migration.version) ends the transaction it runs in")
        }
        try await transaction.commit(after: [
            """
            INSERT INTO schema_migrations (version, name, checksum)
            VALUES (\(migration.version), \(migration.name), encode(sha256(convert_to(\(migration.sql), 'UTF8')), 'hex'))
            """
        ])
    }

    private func refuseMismatch(_ status: MigrationStatus, _ acceptsUnknown: Bool) throws(PostgresError) {
        if !status.changed.isEmpty { throw Self.mismatch("were applied with another text", status.changed) }
        if !status.unknown.isEmpty, !acceptsUnknown {
            throw Self.mismatch("were applied and are not known here", status.unknown)
        }
    }

    private static func mismatch(_ problem: String, _ versions: [Int]) -> PostgresError {
        let list = versions.map(String.init).joined(separator: ", ")
        return PostgresError(
            .migrationMismatch,
            operation: "migrate",
            message: "migrations \(list) \(problem)"
        )
    }

    private static let table: SQL = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version bigint PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """

    private var comparison: SQL {
        """
        SELECT version, known.sql IS NULL AS is_unknown, applied.checksum IS NULL AS is_pending,
            coalesce(applied.checksum <> encode(sha256(convert_to(known.sql, 'UTF8')), 'hex'), false) AS is_changed
        FROM unnest(\(self.migrations.map(\.version))::bigint[], \(self.migrations.map(\.sql))::text[])
            AS known (version, sql)
        FULL JOIN schema_migrations AS applied USING (version)
        ORDER BY version
        """
    }

    private func status(of comparison: PostgresResult) throws(PostgresError) -> MigrationStatus {
        var status = MigrationStatus()
        for row in comparison.rows {
            let version = try row.read("version", as: Int.self)
            if try row.read("is_unknown", as: Bool.self) {
                status.unknown.append(version)
            } else if try row.read("is_pending", as: Bool.self) {
                status.pending.append(version)
            } else if try row.read("is_changed", as: Bool.self) {
                status.changed.append(version)
            } else {
                status.applied.append(version)
            }
        }
        return status
    }
}

/// How the migrations known to the program compare with those of a database, by version.
package struct MigrationStatus: Equatable, Sendable {
    /// Applied, and the same here as there.
    package var applied: [Int] = []
    /// Known here and not applied.
    package var pending: [Int] = []
    /// Applied, and not the same here as there.
    package var changed: [Int] = []
    /// Applied, and not known here: the database is newer than the program.
    package var unknown: [Int] = []

    package init() {}

    /// Whether the program has all that it needs; a newer database is no obstacle.
    package var isCurrent: Bool { self.pending.isEmpty && self.changed.isEmpty }
}
