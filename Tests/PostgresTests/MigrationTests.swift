import Postgres
import Testing

@Suite struct MigrationTests {
    private let steps = [
        Migration(
            version: 2,
            name: "column",
            sql: "ALTER TABLE things ADD name text; CREATE INDEX ON things (name);"
        ),
        Migration(
            version: 1,
            name: "table",
            sql: "CREATE TABLE things (id int); INSERT INTO things VALUES (1);"
        ),
    ]

    @Test func `migrations are applied once and in their order`() async throws {
        try await withNewDatabase { connection, _ in
            let migrations = Migrations(self.steps)
            let before = try await migrations.check(on: connection)
            #expect(before.pending == [1, 2] && !before.isCurrent)
            #expect(try await migrations.apply(on: connection) == [1, 2])
            #expect(try await migrations.apply(on: connection) == [])
            #expect(try await migrations.check(on: connection).applied == [1, 2])
            #expect(try await connection.run("SELECT name FROM things").rows.count == 1)
        }
    }

    @Test func `a migration that was changed after it was applied is refused`() async throws {
        try await withNewDatabase { connection, _ in
            _ = try await Migrations(self.steps).apply(on: connection)
            let changed = Migrations([self.steps[1], Migration(version: 2, name: "column", sql: "SELECT 1")])
            #expect(try await changed.check(on: connection).changed == [2])
            #expect(try await failure { try await changed.apply(on: connection) }.code == .migrationMismatch)
        }
    }

    @Test func `a database that is newer than the program is refused unless that is accepted`() async throws {
        try await withNewDatabase { connection, _ in
            _ = try await Migrations(self.steps).apply(on: connection)
            let older = Migrations([self.steps[1]])
            #expect(try await older.check(on: connection).unknown == [2])
            #expect(try await failure { try await older.apply(on: connection) }.code == .migrationMismatch)
            #expect(try await older.apply(on: connection, acceptsUnknown: true) == [])
        }
    }

    @Test func `two programs that migrate at once apply each step once`() async throws {
        try await withNewDatabase { first, second in
            let migrations = Migrations(self.steps)
            async let one = migrations.apply(on: first)
            async let two = migrations.apply(on: second)
            let applied = try await one + two
            #expect(applied.sorted() == [1, 2])
        }
    }

    @Test func `a migration that fails leaves nothing behind`() async throws {
        try await withNewDatabase { connection, _ in
            let broken = Migrations([
                Migration(version: 1, name: "broken", sql: "CREATE TABLE half (id int); SELECT 1 / 0;")
            ])
            #expect(try await failure { try await broken.apply(on: connection) }.sqlState == "22012")
            #expect(try await broken.check(on: connection).pending == [1])
            let half = try await connection.run("SELECT to_regclass('half') IS NULL AS is_gone")
            #expect(try half.rows[0].read("is_gone", as: Bool.self))
        }
    }

    @Test func `a migration that commits by itself is refused`() async throws {
        try await withNewDatabase { connection, _ in
            let wrong = Migrations([
                Migration(version: 1, name: "wrong", sql: "CREATE TABLE t (id int); COMMIT;")
            ])
            let error = try await failure { try await wrong.apply(on: connection) }
            #expect(error.code == .transactionMisuse)
        }
    }

    private let concurrent = Migration(
        version: 3,
        name: "index",
        sql: """
            -- As large as it may be.
            CREATE INDEX CONCURRENTLY IF NOT EXISTS things_id ON things (id);
            DROP INDEX CONCURRENTLY IF EXISTS things_name_idx;

            """
    )

    @Test func `an index is built and dropped while others write`() async throws {
        try await withNewDatabase { connection, other in
            _ = try await Migrations(self.steps).apply(on: connection)
            try await other.transaction { transaction in
                // The index waits for the end of whoever has written, and of nobody else.
                _ = try await transaction.run("INSERT INTO things VALUES (2)")
                async let applied = Migrations(self.steps + [self.concurrent]).apply(on: connection)
                while try await transaction.run("SELECT FROM pg_class WHERE relname = 'things_id'").rows
                    .isEmpty
                {}
                _ = try await transaction.run("INSERT INTO things VALUES (3)")
                try await transaction.commit(after: [])
                #expect(try await applied == [3])
            }
            #expect(try await self.indexes(connection) == ["things_id"])
        }
    }

    @Test func `an index whose building was interrupted is built anew`() async throws {
        try await withNewDatabase { connection, _ in
            _ = try await Migrations(self.steps).apply(on: connection)
            _ = try await connection.run("INSERT INTO things VALUES (1)")
            // What a failed build leaves behind: an index that is kept up to date and never used.
            await #expect(throws: PostgresError.self) {
                try await connection.run("CREATE UNIQUE INDEX CONCURRENTLY things_id ON things (id)")
            }
            #expect(try await Migrations(self.steps + [self.concurrent]).apply(on: connection) == [3])
            #expect(try await self.indexes(connection) == ["things_id"])
            #expect(try await Migrations(self.steps + [self.concurrent]).check(on: connection).isCurrent)
        }
    }

    @Test func `two programs that build an index at once do not wait for each other's snapshots`()
        async throws
    {
        try await withNewDatabase { first, second in
            let migrations = Migrations(self.steps + [self.concurrent])
            async let one = migrations.apply(on: first)
            async let two = migrations.apply(on: second)
            let applied = try await one + two
            #expect(applied.sorted() == [1, 2, 3])
        }
    }

    /// The valid indexes of the table.
    private func indexes(_ connection: PostgresConnection) async throws -> [String] {
        try await connection.run(
            """
            SELECT indexrelid::regclass::text AS name FROM pg_index
            WHERE indrelid = 'things'::regclass AND indisvalid ORDER BY 1
            """
        ).rows.map { try $0.read("name") }
    }

    @Test func `waiting for another program that migrates has a limit`() async throws {
        try await withNewDatabase { first, second in
            try await first.transaction { transaction in
                _ = try await transaction.run("SELECT pg_advisory_xact_lock(\(0x6770_7564_6576_0001))")
                let error = try await failure {
                    try await Migrations(self.steps).apply(on: second, waitingForLocks: .milliseconds(50))
                }
                #expect(error.code == .lockTimeout && error.isRetryable)
            }
        }
    }

    @Test(arguments: [("0001_ledger.sql", 1, "ledger"), ("12_two_words.sql", 12, "two_words")])
    func `version and name come from the file name`(file: String, version: Int, name: String) {
        #expect(Migration(fileName: file, sql: "") == Migration(version: version, name: name, sql: ""))
        #expect(Migration(fileName: file + ".bak", sql: "") == nil)
    }
}
