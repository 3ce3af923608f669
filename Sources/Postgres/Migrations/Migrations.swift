import EventLoops

/// The steps of the schema in their order, and how they get into a database.
///
/// What has been applied stands in `schema_migrations`, with a SHA-256 of its text computed by the server. A step is one
/// transaction, or some statements that may be repeated. An advisory lock of the session keeps programs apart that
/// migrate at once. They ask for it again and again instead of waiting in a statement, since such a statement would hold
/// a snapshot, and to build an index concurrently is to wait for the end of all older snapshots.
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
    ///   - connection: A session of its own, with no pooler in between.
    ///   - lockLimit: How long to wait for another program that migrates, or for a lock on a table.
    ///   - limit: How long a transaction may take.
    ///   - concurrentLimit: How long a statement may take that leaves its table in use, such as the building of an index.
    ///   - acceptsUnknown: Whether a database that has later steps than are known here is left as it is.
    /// - Returns: Versions, in their order.
    /// - Throws: `migrationMismatch` when an applied step is not the one known here, or is not known; `lockTimeout`.
    package func apply(
        on connection: PostgresConnection,
        waitingForLocks lockLimit: Duration = .seconds(60),
        within limit: Duration = .seconds(600),
        concurrentlyWithin concurrentLimit: Duration = .seconds(7200),
        acceptsUnknown: Bool = false
    ) async throws -> [Int] {
        try await self.lock(connection, within: lockLimit)
        do {
            _ = try await connection.run(Self.table)
            let status = try await self.status(of: connection.run(self.comparison))
            try self.refuseMismatch(status, acceptsUnknown)
            for step in self.migrations where status.pending.contains(step.version) {
                if step.isConcurrent {
                    try await self.applyConcurrently(step, on: connection, within: concurrentLimit)
                } else {
                    try await self.apply(step, on: connection, lockLimit, within: limit)
                }
            }
            _ = try await connection.run("SELECT pg_advisory_unlock(\(Self.lockKey))")
            return status.pending
        } catch {
            _ = try? await connection.run("SELECT pg_advisory_unlock(\(Self.lockKey))")
            throw error
        }
    }

    /// Takes the lock that the session holds while it migrates.
    private func lock(_ connection: PostgresConnection, within limit: Duration) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let row = try await connection.run("SELECT pg_try_advisory_lock(\(Self.lockKey)) AS is_mine").rows
                .first
            if try row?.read("is_mine") == true { return }
            guard ContinuousClock.now < deadline else {
                throw PostgresError(
                    .lockTimeout,
                    operation: "migrate",
                    message: "another program is migrating this database"
                )
            }
            try await connection.loop.sleep(for: .milliseconds(100))
        }
    }

    /// Applies a step in a transaction.
    private func apply(
        _ step: Migration,
        on connection: PostgresConnection,
        _ lockLimit: Duration,
        within limit: Duration
    ) async throws {
        try await connection.transaction(within: limit + lockLimit) { transaction in
            try await transaction.pipeline([
                "SELECT set_config('lock_timeout', \(String(lockLimit.wholeMilliseconds)), true)",
                "SELECT set_config('statement_timeout', \(String((limit + lockLimit).wholeMilliseconds)), true)",
            ])
            try await connection.runScript(step.sql, within: limit)
            guard await connection.isInTransaction else {
                throw TransactionState.misuse("migration \(step.version) ends the transaction it runs in")
            }
            try await transaction.commit(after: [Self.record(step)])
        }
    }

    /// Applies the statements of a step one by one; whatever an earlier try has left unfinished is done anew.
    private func applyConcurrently(
        _ step: Migration,
        on connection: PostgresConnection,
        within limit: Duration
    ) async throws {
        try await connection.pipeline([
            "SELECT set_config('lock_timeout', '0', false)",
            "SELECT set_config('statement_timeout', \(String(limit.wholeMilliseconds)), false)",
        ])
        let leftovers = try await connection.run(Self.unfinishedIndexes(of: step)).rows
        let removals = try leftovers.map { try $0.read("removal", as: String.self) }
        for statement in removals + step.statements {
            try await connection.runScript(statement, within: limit)
        }
        try await connection.pipeline([
            "RESET lock_timeout", "RESET statement_timeout", Self.record(step),
        ])
    }

    /// Statements that drop what is left of indexes of a step whose building was interrupted: PostgreSQL does not use them
    /// and keeps them up to date.
    private static func unfinishedIndexes(of step: Migration) -> SQL {
        """
        SELECT format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', n.nspname, c.relname) AS removal
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT i.indisvalid AND n.nspname = current_schema()
            AND c.relname = ANY(regexp_split_to_array(\(step.sql)::text, '\\W+'))
        """
    }

    private static func record(_ step: Migration) -> SQL {
        """
        INSERT INTO schema_migrations (version, name, checksum)
        VALUES (\(step.version), \(step.name), encode(sha256(convert_to(\(step.sql), 'UTF8')), 'hex'))
        """
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
