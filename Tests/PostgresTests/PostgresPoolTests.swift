import EventLoops
import Postgres
import Synchronization
import Testing

@Suite struct PostgresPoolTests {
    @Test
    func `callers get connections in the order in which they came, and none is opened beyond the limit`()
        async throws
    {
        let pool = try Server.pool(maximumConnections: 1)
        let order = Order()
        try await pool.withConnection { _ in }
        try await pool.withConnection { connection in
            var callers: [Task<Void, any Error>] = []
            for number in 0..<5 {
                callers.append(
                    Task {
                        try await pool.withConnection { _ in order.numbers.withLock { $0.append(number) } }
                    }
                )
                while await pool.statistics.waiting <= number { await Task.yield() }
            }
            _ = try await connection.run("SELECT 1")
            order.callers.withLock { $0 = callers }
        }
        for caller in order.callers.withLock({ $0 }) { try await caller.value }
        #expect(order.numbers.withLock { $0 } == [0, 1, 2, 3, 4])
        #expect(await pool.statistics == PoolStatistics(open: 1, idle: 1, opened: 1))
    }

    @Test func `a caller that waits too long is told that the pool is exhausted`() async throws {
        let pool = try Server.pool(maximumConnections: 1)
        let error = await postgresError {
            try await pool.withConnection { _ in
                try await pool.withConnection(within: .milliseconds(20)) { _ in }
            }
        }
        #expect(error?.code == .poolExhausted)
        #expect(await pool.statistics.exhausted == 1)
    }

    @Test func `a connection that the server ended is never handed out`() async throws {
        let (pool, other) = (try Server.pool(maximumConnections: 1), try Server.pool())
        let process: Int = try #require(
            try await pool.run("SELECT pg_backend_pid() AS pid").rows.first?.read("pid")
        )
        _ = try await other.run("SELECT pg_terminate_backend(\(process)::int)")
        while await pool.statistics.closed == 0 {
            _ = await postgresError { _ = try await pool.run("SELECT 1") }
        }
        let next: Int = try #require(
            try await pool.run("SELECT pg_backend_pid() AS pid").rows.first?.read("pid")
        )
        #expect(next != process)
    }

    @Test func `a connection that comes back inside a transaction is closed`() async throws {
        let pool = try Server.pool(maximumConnections: 1)
        try await pool.withConnection { _ = try await $0.run("BEGIN") }
        #expect(await pool.statistics == PoolStatistics(opened: 1, closed: 1))
    }

    @Test func `a transaction commits what its body did, or nothing if it throws`() async throws {
        let pool = try Server.pool(maximumConnections: 1)
        _ = try await pool.run("CREATE TEMPORARY TABLE t (n int)")
        try await pool.transaction { transaction in
            try await transaction.run("INSERT INTO t VALUES (1)")
            await #expect(throws: Oops.self) {
                try await transaction.savepoint {
                    try await transaction.run("INSERT INTO t VALUES (2)")
                    throw Oops()
                }
            }
            try await transaction.commit(after: ["INSERT INTO t VALUES (3)"])
        }
        await #expect(throws: Oops.self) {
            try await pool.transaction { transaction in
                try await transaction.run("INSERT INTO t VALUES (4)")
                throw Oops()
            }
        }
        let rows = try await pool.run("SELECT n FROM t ORDER BY n").rows
        #expect(try rows.map { try $0.read("n", as: Int.self) } == [1, 3])
    }

    @Test func `a read-only transaction writes nothing, and an ended one does nothing`() async throws {
        let pool = try Server.pool(maximumConnections: 1)
        let error = await postgresError {
            _ = try await pool.transaction(readOnly: true) { try await $0.run("CREATE TABLE never (n int)") }
        }
        #expect(error?.code == .readOnly)
        let late = await postgresError {
            try await pool.transaction { transaction in
                try await transaction.commit(after: ["SELECT 1"])
                try await transaction.run("SELECT 1")
            }
        }
        #expect(late?.description.contains("over already") == true)
    }

    @Test func `a closed pool gives nothing out`() async throws {
        let pool = try Server.pool()
        await pool.close()
        #expect(await postgresError { _ = try await pool.run("SELECT 1") }?.code == .closed)
    }

    @Test func `a task on the loop talks to PostgreSQL without a change of thread`() async throws {
        let loop = EventLoop(name: "test")
        let pool = PostgresPool(try Server.configuration(), on: loop)
        let task = Task(executorPreference: loop) {
            _ = try await pool.run("SELECT 1")
            let before = loop.remoteEnqueues
            for _ in 0..<1_000 { _ = try await pool.pipeline(["SELECT 1", "SELECT 2"]) }
            return loop.remoteEnqueues - before
        }
        #expect(try await task.value == 0)
    }
}

private struct Oops: Error {}

private final class Order: Sendable {
    let numbers = Mutex<[Int]>([])
    let callers = Mutex<[Task<Void, any Error>]>([])
}
