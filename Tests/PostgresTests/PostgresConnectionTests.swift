import EventLoops
import Foundation
import Postgres
import Testing

@Suite struct PostgresConnectionTests {
    @Test func `values are bound and read back as PostgreSQL sees them`() async throws {
        let pool = try Server.pool()
        let id = UUID()
        let bytes: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF]
        let text = "it's; DROP TABLE x -- \"€\" \\"
        let row = try #require(
            try await pool.run(
                """
                SELECT \(text) AS text, \(-7)::int AS int, \(2.5)::float8 AS double, \(true)::bool AS bool,
                    \(id)::uuid AS uuid, \(bytes)::bytea AS bytes, \([UInt8]())::bytea AS empty,
                    \(nil as String?)::text AS nothing, encode(\(bytes)::bytea, 'hex') AS hex
                """
            ).rows.first
        )
        #expect(try row.read("text") == text)
        #expect(try row.read("int") == -7)
        #expect(try row.read("double") == 2.5)
        #expect(try row.read("bool") == true)
        #expect(try row.read("uuid") == id)
        #expect(try row.read("bytes") == bytes)
        #expect(try row.read("empty") == [UInt8]())
        #expect(try row.readIfPresent("nothing") == nil as String?)
        #expect(try row.read("hex") == "00017f80ff")
    }

    @Test func `a row says which column is null, missing or of another type`() async throws {
        let row = try #require(try await Server.pool().run("SELECT NULL AS a, 'x' AS b").rows.first)
        #expect(throws: PostgresError.self) { try row.read("a", as: String.self) }
        #expect(throws: PostgresError.self) { try row.read("b", as: Int.self) }
        #expect(throws: PostgresError.self) { try row.readIfPresent("c", as: Int.self) }
    }

    @Test func `a pipeline takes effect as a whole or not at all`() async throws {
        try await Server.pool().withConnection { connection in
            _ = try await connection.run("CREATE TEMPORARY TABLE t (n int PRIMARY KEY)")
            let results = try await connection.pipeline([
                "INSERT INTO t VALUES (\(1)), (\(2))", "UPDATE t SET n = n + 10", "SELECT count(*) FROM t",
            ])
            #expect(results.map(\.affectedRows) == [2, 2, 1])

            let error = await postgresError {
                _ = try await connection.pipeline([
                    "INSERT INTO t VALUES (\(3))", "INSERT INTO t VALUES (\(11))",
                    "INSERT INTO t VALUES (\(4))",
                ])
            }
            #expect(error?.code == .constraintViolation)
            #expect(error?.sqlState == "23505")
            #expect(error?.constraint == "t_pkey")
            #expect(try await connection.run("SELECT n FROM t").rows.count == 2)
        }
    }

    @Test func `pipelines that are sent in one turn are answered in order`() async throws {
        let connection = try await PostgresConnection.connect(
            Server.configuration(),
            on: EventLoop(name: "test")
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask {
                    let row = try await connection.run("SELECT \(number)::int AS n").rows.first
                    #expect(try row?.read("n") == number)
                }
            }
            try await group.waitForAll()
        }
        await connection.close()
    }

    @Test func `a statement that failed before it was prepared can be run afterwards`() async throws {
        try await Server.pool().withConnection { connection in
            _ = await postgresError { _ = try await connection.pipeline(["SELECT 1/0", "SELECT 5 AS five"]) }
            let row = try await connection.run("SELECT 5 AS five").rows.first
            #expect(try row?.read("five") == 5)
        }
    }

    @Test func `errors hold no bound value`() async throws {
        let secret = "hunter2"
        let error = await postgresError {
            _ = try await Server.pool().run("SELECT \(secret)::text::int")
        }
        #expect(error?.code == .invalidValue)
        #expect(error?.sqlState == "22P02")
        let unique = await postgresError {
            try await Server.pool().withConnection { connection in
                _ = try await connection.run("CREATE TEMPORARY TABLE t (n text PRIMARY KEY)")
                _ = try await connection.run("INSERT INTO t VALUES (\(secret)), (\(secret))")
            }
        }
        #expect(unique?.description.contains("hunter2") == false)
        #expect(unique?.description.contains("INSERT INTO t VALUES") == true)
    }

    @Test func `NUL in text is refused before anything is sent`() async throws {
        let error = await postgresError { _ = try await Server.pool().run("SELECT \("a\0b")::text") }
        #expect(error?.code == .invalidValue)
        #expect(error?.sqlState == nil)
    }

    @Test func `a call past its deadline closes the connection, and the next caller gets another`()
        async throws
    {
        let pool = try Server.pool(maximumConnections: 1)
        let error = await postgresError {
            _ = try await pool.run("SELECT pg_sleep(60)", within: .milliseconds(100))
        }
        #expect(error?.code == .deadlineExceeded)
        #expect(error?.isUnavailable == true)
        #expect(try await pool.run("SELECT 1 AS n").rows.first?.read("n") == 1)
        #expect(await pool.statistics.closed == 1)
    }

    @Test func `a server that is not there is an error with its reason, not a wait`() async throws {
        let configuration = PostgresConfiguration("postgresql://nobody:hunter2@127.0.0.1:1/none")
        let error = await postgresError {
            _ = try await PostgresConnection.connect(configuration, on: EventLoop(name: "test"))
        }
        #expect(error?.code == .connectionFailed)
        #expect(error?.description.contains("refused") == true)
        #expect(error?.description.contains("hunter2") == false)
    }
}
