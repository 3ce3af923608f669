import Postgres
import Testing

@Suite struct ConnectionTests {
    @Test func `a statement's rows are read by name and by place`() async throws {
        try await withConnection { connection in
            let result = try await connection.run("SELECT \(41)::int8 + 1 AS answer, NULL::text AS nothing")
            let row = try #require(result.rows.first)
            #expect(try row.read("answer", as: Int.self) == 42)
            #expect(try row.read(at: 0, as: Int.self) == 42)
            #expect(try row.readOptional("nothing", as: String.self) == nil)
            #expect(row.isNull("nothing") && row.hasColumn("answer") && !row.hasColumn("question"))
            #expect(try await failure { try row.read("question", as: Int.self) }.code == .invalidValue)
        }
    }

    @Test func `a pipeline is one transaction: all or nothing`() async throws {
        try await withConnection { connection in
            _ = try await connection.run("CREATE TEMP TABLE t (id int CONSTRAINT t_once PRIMARY KEY)")
            let error = try await failure {
                try await connection.pipeline([
                    "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (\(1))",
                    "INSERT INTO t VALUES (4)",
                ])
            }
            #expect(error.code == .constraintViolation)
            #expect(error.sqlState == "23505" && error.constraint == "t_once" && error.table == "t")
            #expect(error.statement == 2)
            let results = try await connection.pipeline([
                "SELECT count(*) FROM t", "INSERT INTO t VALUES (\(1)), (\(2))", "SELECT count(*) FROM t",
            ])
            #expect(try results.map { try $0.rows.first?.read(at: 0, as: Int.self) } == [0, nil, 2])
            #expect(results[1].affectedRows == 2)
        }
    }

    @Test func `a constraint that is checked at the end fails the pipeline`() async throws {
        try await withConnection { connection in
            _ = try await connection.run(
                "CREATE TEMP TABLE t (id int CONSTRAINT t_once UNIQUE DEFERRABLE INITIALLY DEFERRED)"
            )
            let error = try await failure {
                try await connection.pipeline(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"])
            }
            #expect(error.sqlState == "23505" && error.constraint == "t_once" && error.statement == nil)
            #expect(try await connection.run("SELECT * FROM t").rows.isEmpty)
        }
    }

    @Test func `the statement that was refused is named, in a transaction too`() async throws {
        try await withConnection { connection in
            let error = try await failure {
                try await connection.transaction {
                    try await $0.pipeline(["SELECT 1", "SELECT * FROM nowhere", "SELECT 2"])
                }
            }
            #expect(error.isAboutSchema && error.sqlState == "42P01" && error.statement == 1)
        }
    }

    @Test func `a statement that failed to prepare can be put right`() async throws {
        try await withConnection { connection in
            #expect(
                try await failure { try await connection.run("SELECT * FROM later") }.code == .syntaxOrAccess
            )
            _ = try await connection.run("CREATE TEMP TABLE later AS SELECT 1 AS one")
            for _ in 0..<3 {
                #expect(try await connection.run("SELECT * FROM later").rows.count == 1)
            }
        }
    }

    @Test func `calls of many tasks on one connection each get their own answer`() async throws {
        try await withConnection { connection in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let result = try await connection.run("SELECT \(number)::int8")
                        return try result.rows.first?.read(at: 0, as: Int.self) == number
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func `a call past its deadline fails and closes the connection`() async throws {
        try await withConnection { connection in
            let error = try await failure {
                try await connection.run("SELECT pg_sleep(60)", within: .milliseconds(50))
            }
            #expect(error.code == .deadlineExceeded && error.isConnectionLost)
            #expect(await connection.isClosed)
            #expect(try await failure { try await connection.run("SELECT 1") }.code == .closed)
        }
    }
}
