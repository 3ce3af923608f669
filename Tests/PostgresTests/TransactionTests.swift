import EventLoops
import Postgres
import Testing

@Suite struct TransactionTests {
    @Test func `what a transaction did stays if it returns and goes if it throws`() async throws {
        try await withTable { connection in
            try await connection.transaction { _ = try await $0.run("INSERT INTO t VALUES (1)") }
            await #expect(throws: Refusal.self) {
                try await connection.transaction { transaction in
                    _ = try await transaction.run("INSERT INTO t VALUES (2)")
                    throw Refusal()
                }
            }
            #expect(try await self.rows(connection) == [1])
        }
    }

    @Test func `first statements, last statements and commit take two round trips`() async throws {
        try await withTable { connection in
            try await connection.transaction { transaction in
                let results = try await transaction.pipeline(["INSERT INTO t VALUES (1)", "SELECT id FROM t"])
                #expect(try results.last?.rows.first?.read("id", as: Int.self) == 1)
                let last = try await transaction.commit(after: ["INSERT INTO t VALUES (2)"])
                #expect(last.map(\.affectedRows) == [1])
                let error = try await failure { try await transaction.run("SELECT 1") }
                #expect(error.code == .transactionMisuse)
            }
            #expect(try await self.rows(connection) == [1, 2])
        }
    }

    @Test func `a last statement that fails undoes the transaction`() async throws {
        try await withTable { connection in
            let error = try await failure {
                try await connection.transaction { transaction in
                    _ = try await transaction.run("INSERT INTO t VALUES (1)")
                    try await transaction.commit(after: [
                        "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (1)",
                    ])
                }
            }
            #expect(error.code == .constraintViolation)
            #expect(try await self.rows(connection) == [])
        }
    }

    @Test func `a commit after a failure that was overlooked is an error`() async throws {
        try await withTable { connection in
            let error = try await failure {
                try await connection.transaction { transaction in
                    _ = try await transaction.run("INSERT INTO t VALUES (1)")
                    _ = try? await transaction.run("SELECT 1 / 0")
                }
            }
            #expect(error.code == .transactionMisuse)
            #expect(try await self.rows(connection) == [])
        }
    }

    @Test func `a savepoint is undone alone`() async throws {
        try await withTable { connection in
            try await connection.transaction { transaction in
                _ = try await transaction.run("INSERT INTO t VALUES (1)")
                try await transaction.savepoint { inner in
                    _ = try await inner.run("INSERT INTO t VALUES (2)")
                    let error = try await failure { try await transaction.run("SELECT 1") }
                    #expect(error.code == .transactionMisuse)
                }
                _ = try await failure {
                    try await transaction.savepoint { inner in
                        _ = try await inner.run("INSERT INTO t VALUES (3)")
                        _ = try await inner.run("INSERT INTO t VALUES (1)")
                    }
                }
                _ = try await transaction.run("INSERT INTO t VALUES (4)")
            }
            #expect(try await self.rows(connection) == [1, 2, 4])
        }
    }

    @Test func `a transaction that was opened read-only refuses to write, and the connection lives on`()
        async throws
    {
        try await withTable { connection in
            let error = try await failure {
                try await connection.transaction(TransactionOptions(readOnly: true)) {
                    _ = try await $0.run("CREATE TABLE never (id int)")
                }
            }
            #expect(
                error.code == .readOnlyTransaction && error.sqlState == "25006" && !error.isConnectionLost
            )
            #expect(await !connection.isClosed)
        }
    }

    @Test func `a server that is read-only ends the connection`() async throws {
        try await withTable { connection in
            _ = try await connection.run("SET default_transaction_read_only = on")
            let error = try await failure { try await connection.run("CREATE TABLE never (id int)") }
            #expect(error.code == .readOnly && error.isConnectionLost)
            #expect(await connection.isClosed)
        }
    }

    @Test func `isolation is what was asked for`() async throws {
        try await withTable { connection in
            let options = TransactionOptions(isolation: .serializable, readOnly: true)
            try await connection.transaction(options) { transaction in
                let row = try await transaction.run("SELECT current_setting('transaction_isolation') AS it")
                    .rows[0]
                #expect(try row.read("it") == "serializable")
            }
        }
    }

    @Test func `a second transaction inside is refused, on the connection and on its pool`() async throws {
        try await withPool(1...4) { pool in
            try await pool.transaction { outer in
                #expect(try await failure { try await pool.transaction { _ in } }.code == .transactionMisuse)
                #expect(try await failure { try await pool.run("SELECT 1") }.code == .transactionMisuse)
                _ = try await outer.run("SELECT 1")
            }
            try await pool.withConnection { connection in
                try await connection.transaction { _ in
                    let nested = try await failure { try await connection.transaction { _ in } }
                    let beside = try await failure { try await connection.run("SELECT 1") }
                    #expect([nested.code, beside.code] == [.transactionMisuse, .transactionMisuse])
                }
            }
            #expect(try await pool.run("SELECT 1").affectedRows == 1)
        }
    }

    @Test func `a serialization failure says that it may be repeated`() async throws {
        try await withPool(2...2) { pool in
            _ = try await pool.pipeline([
                "DROP TABLE IF EXISTS serialization_test", "CREATE TABLE serialization_test AS SELECT 1 AS n",
            ])
            let options = TransactionOptions(isolation: .repeatableRead)
            let error = try await failure {
                try await pool.transaction(options) { transaction in
                    _ = try await transaction.run("SELECT n FROM serialization_test")
                    try await withConnection { other in
                        _ = try await other.run("UPDATE serialization_test SET n = 2")
                    }
                    _ = try await transaction.run("UPDATE serialization_test SET n = 3")
                }
            }
            #expect(error.code == .serializationFailure && error.isRetryable && !error.isConnectionLost)
            _ = try await pool.run("DROP TABLE serialization_test")
        }
    }

    private func withTable(_ body: (PostgresConnection) async throws -> Void) async throws {
        try await withConnection { connection in
            _ = try await connection.run("CREATE TEMP TABLE t (id int PRIMARY KEY)")
            try await body(connection)
        }
    }

    private func rows(_ connection: PostgresConnection) async throws -> [Int] {
        try await connection.run("SELECT id FROM t ORDER BY id").rows.map { try $0.read("id") }
    }
}

private struct Refusal: Error {}
