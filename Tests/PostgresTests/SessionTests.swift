import Postgres
import Testing

@Suite struct SessionTests {
    @Test func `a notification reaches who listens`() async throws {
        try await withConnection { listener in
            try await listener.listen(to: "Odd \"channel\"")
            try await withConnection { speaker in
                _ = try await speaker.run("SELECT pg_notify('Odd \"channel\"', 'hello')")
            }
            var notifications = listener.notifications.makeAsyncIterator()
            let notification = await notifications.next()
            #expect(notification?.channel == "Odd \"channel\"" && notification?.payload == "hello")
            await listener.close()
            #expect(await notifications.next() == nil)
        }
    }

    @Test func `whoever waits for the end of a connection hears of it`() async throws {
        try await withConnection { connection in
            let process = try await connection.run("SELECT pg_backend_pid() AS pid").rows[0].read(
                "pid",
                as: Int.self
            )
            async let end: Void = connection.whenClosed()
            try await withConnection { _ = try await $0.run("SELECT pg_terminate_backend(\(process))") }
            await end
            #expect(await connection.isClosed)
            await connection.whenClosed()
        }
    }

    @Test func `the server's own limits are set from the start`() async throws {
        try await withConnection {
            $0.statementTimeout = .milliseconds(1_500)
            $0.lockTimeout = .seconds(2)
            $0.connectionString += "?options=-c%20work_mem%3D1MB"
        } _: { connection in
            let row = try await connection.run(
                """
                SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
                    current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('work_mem') AS own
                """
            ).rows[0]
            #expect(try row.read("statement") == "1500ms")
            #expect(try row.read("lock") == "2s")
            #expect(try row.read("idle") == "1min")
            #expect(try row.read("own") == "1MB")
        }
    }

    @Test func `the server gives a statement up before the call does`() async throws {
        try await withConnection {
            $0.callDeadline = .seconds(3)
        } _: { connection in
            let error = try await failure { try await connection.run("SELECT pg_sleep(60)") }
            #expect(error.code == .deadlineExceeded && error.sqlState == "57014")
            #expect(await !connection.isClosed)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `the server ends a statement that nobody waits for any more`() async throws {
        try await withConnection { other in
            try await withConnection {
                $0.applicationName = "abandoned"
                $0.statementTimeout = .seconds(3600)
                $0.callDeadline = .seconds(3600)
            } _: { connection in
                _ = try await failure {
                    try await connection.run("SELECT pg_sleep(3600)", within: .milliseconds(200))
                }
            }
            let left: SQL = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'abandoned'"
            while try await other.run(left).rows[0].read("n", as: Int.self) > 0 {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    @Test func `behind a pooler nothing is left in the session`() async throws {
        try await withConnection {
            $0.usesPooler = true
        } _: { connection in
            for _ in 0..<2 { _ = try await connection.run("SELECT \(1)::int") }
            #expect(try await connection.run("SELECT * FROM pg_prepared_statements").rows.isEmpty)
        }
    }

    @Test func `a statement is prepared once, up to the limit`() async throws {
        try await withConnection {
            $0.preparedStatements = 2
        } _: { connection in
            for _ in 0..<3 { _ = try await connection.run("SELECT \(1)::int") }
            for _ in 0..<3 { _ = try await connection.run("SELECT \(1)::bigint") }
            for _ in 0..<3 { _ = try await connection.run("SELECT \(1)::text") }
            let row = try await connection.run("SELECT count(*) AS n FROM pg_prepared_statements").rows[0]
            #expect(try row.read("n") == 2)
        }
    }

    @Test func `a table that changed under a prepared statement costs one repeat`() async throws {
        try await withPool(1...1) { pool in
            _ = try await pool.pipeline([
                "DROP TABLE IF EXISTS changing_test", "CREATE TABLE changing_test AS SELECT 1 AS a",
            ])
            _ = try await pool.run("SELECT * FROM changing_test")
            _ = try await pool.run("ALTER TABLE changing_test ADD b int")
            let error = try await failure { try await pool.run("SELECT * FROM changing_test") }
            #expect(error.code == .stalePlan && error.isRetryable)
            #expect(try await pool.run("SELECT * FROM changing_test").rows[0].hasColumn("b"))
            _ = try await pool.run("DROP TABLE changing_test")
        }
    }

    @Test func `a large value travels both ways`() async throws {
        try await withConnection { connection in
            let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let row = try await connection.run("SELECT \(bytes)::bytea AS b, md5(\(bytes)::bytea) AS sum")
                .rows[0]
            #expect(try row.read("b", as: [UInt8].self) == bytes)
        }
    }

    @Test func `a connection string that cannot be read is refused without being shown`() async throws {
        let error = try await failure {
            try await withConnection({ $0.connectionString = "host=x password=hunter two" }, { _ in })
        }
        #expect(error.code == .connectionFailed && !error.description.contains("hunter"))
    }
}
