import EventLoops
import Foundation
import Postgres
import Testing

@Suite struct PoolTests {
    @Test func `a pool runs statements, pipelines and transactions`() async throws {
        try await withPool(1...2) { pool in
            #expect(try await pool.run("SELECT 1").rows.count == 1)
            #expect(try await pool.pipeline(["SELECT 1", "SELECT 2"]).count == 2)
            let sum = try await pool.transaction { transaction in
                let first = try await transaction.run("SELECT 1 AS n").rows[0].read("n", as: Int.self)
                return try await first + transaction.run("SELECT 2 AS n").rows[0].read("n", as: Int.self)
            }
            #expect(sum == 3)
            #expect(await pool.statistics().opened == 1)
        }
    }

    @Test func `a task that lives on the loop stays there through every statement`() async throws {
        try await withPool(1...2) { pool in
            _ = try await pool.run("SELECT 1")
            let loop = pool.loop
            let task = Task(executorPreference: loop) {
                let before = loop.remoteEnqueues
                try await withThrowingTaskGroup { group in
                    for _ in 0..<50 { group.addTask { _ = try await pool.run("SELECT 1") } }
                    try await group.waitForAll()
                }
                return loop.remoteEnqueues - before
            }
            #expect(try await task.value == 0)
        }
    }

    @Test func `waiters are served in the order in which they came`() async throws {
        try await withPool(1...1) { pool in
            let order = Order()
            try await withThrowingTaskGroup { group in
                try await pool.withConnection { _ in
                    for number in 0..<20 {
                        group.addTask { try await pool.withConnection { _ in await order.append(number) } }
                        try await eventually { await pool.statistics().waiting == number + 1 }
                    }
                }
                try await group.waitForAll()
            }
            #expect(await order.numbers == Array(0..<20))
            #expect(await pool.statistics().longestWait > .zero)
        }
    }

    @Test func `a pool never has more connections than allowed, and says so when none becomes free`()
        async throws
    {
        try await withPool(1...1) { pool in
            try await pool.withConnection { _ in
                let error = try await failure { try await pool.run("SELECT 1", within: .milliseconds(30)) }
                #expect(error.code == .poolExhausted && error.isConnectionLost)
            }
            let statistics = await pool.statistics()
            #expect(statistics.open == 1 && statistics.timeouts == 1 && statistics.waiting == 0)
        }
    }

    @Test func `a caller that is cancelled while it waits leaves the connections alone`() async throws {
        try await withPool(1...1) { pool in
            try await pool.withConnection { connection in
                let waiting = Task { try await pool.run("SELECT 1") }
                try await eventually { await pool.statistics().waiting == 1 }
                waiting.cancel()
                #expect(try await failure { try await waiting.value }.code == .cancelled)
                #expect(try await connection.run("SELECT 1").rows.count == 1)
            }
            #expect(try await pool.run("SELECT 1").rows.count == 1)
            #expect(await pool.statistics().opened == 1)
        }
    }

    @Test func `a caller that is cancelled in a call costs its connection, and the pool goes on`()
        async throws
    {
        try await withPool(1...1) { pool in
            let running = Task { try await pool.run("SELECT pg_sleep(60)") }
            try await eventually { await pool.statistics().opened == 1 }
            try await eventually { await pool.statistics().idle == 0 }
            running.cancel()
            #expect(try await failure { try await running.value }.code == .cancelled)
            #expect(try await pool.run("SELECT 1").rows.count == 1)
        }
    }

    @Test func `a call past its deadline costs its connection, and the pool goes on`() async throws {
        try await withPool(1...1) { pool in
            _ = try await pool.run("SELECT 1")
            let error = try await failure {
                try await pool.run("SELECT pg_sleep(60)", within: .milliseconds(50))
            }
            #expect(error.code == .deadlineExceeded)
            #expect(try await pool.run("SELECT 1").rows.count == 1)
            #expect(await pool.statistics().opened == 2)
        }
    }

    @Test func `an idle connection that the server ends is dropped at once`() async throws {
        try await withPool(1...1) { pool in
            let process = try await self.process(of: pool)
            try await self.terminate(process)
            try await eventually { await pool.statistics().open == 0 }
            #expect(try await self.process(of: pool) != process)
        }
    }

    @Test func `a busy connection that the server ends fails its caller and is not used again`() async throws
    {
        try await withPool(1...1) { pool in
            let process = try await self.process(of: pool)
            async let sleeping = failure { try await pool.run("SELECT pg_sleep(60)") }
            try await withConnection { other in
                let sleeps: SQL = """
                    SELECT 1 FROM pg_stat_activity WHERE pid = \(process) AND wait_event = 'PgSleep'
                    """
                try await eventually { try await !other.run(sleeps).rows.isEmpty }
            }
            try await self.terminate(process)
            let error = try await sleeping
            #expect(error.code == .serverUnavailable && error.sqlState == "57P01" && error.isConnectionLost)
            #expect(try await self.process(of: pool) != process)
        }
    }

    @Test func `a connection that comes back inside a transaction is never handed out again`() async throws {
        try await withPool(1...1) { pool in
            let process = try await self.process(of: pool)
            try await pool.withConnection { _ = try await $0.run("BEGIN") }
            #expect(await pool.statistics().open == 0)
            #expect(try await self.process(of: pool) != process)
        }
    }

    @Test func `a server that cannot be reached is tried until the caller's time is up`() async throws {
        let unreachable: (inout PostgresConfiguration) -> Void = {
            $0.connectionString = "postgresql://somebody:secret-word@127.0.0.1:1/nothing"
        }
        try await withPool(1...2, unreachable) { pool in
            let error = try await failure { try await pool.run("SELECT 1", within: .milliseconds(400)) }
            #expect(error.code == .connectionFailed && error.isConnectionLost && error.underlying != nil)
            #expect(!error.description.contains("secret-word"))
            #expect(await pool.statistics().failedOpenings > 1)
        }
    }

    @Test func `a closed pool refuses everybody`() async throws {
        try await withPool(1...1) { pool in
            _ = try await pool.run("SELECT 1")
            await pool.close()
            #expect(try await failure { try await pool.run("SELECT 1") }.code == .closed)
            #expect(await pool.statistics().open == 0)
        }
    }

    @Test func `a thousand pipelined calls from a task on the loop cross no thread`() async throws {
        let loop = EventLoop(name: "test")
        let pool = try PostgresPool(TestServer.configuration(), on: loop, logger: TestServer.logger)
        let task = Task(executorPreference: loop) {
            _ = try await pool.run("SELECT 1")
            let before = loop.remoteEnqueues
            for number in 0..<1_000 {
                let results = try await pool.pipeline(["SELECT \(number)::int8", "SELECT 1"])
                #expect(try results[0].rows[0].read(at: 0) == number)
            }
            try await pool.transaction { _ = try await $0.run("SELECT 1") }
            return loop.remoteEnqueues - before
        }
        #expect(try await task.value == 0)
        await pool.close()
        loop.stop()
    }

    private func process(of pool: PostgresPool) async throws -> Int {
        try await pool.run("SELECT pg_backend_pid() AS pid").rows[0].read("pid")
    }

    private func terminate(_ process: Int) async throws {
        try await withConnection { _ = try await $0.run("SELECT pg_terminate_backend(\(process))") }
    }
}

private actor Order {
    private(set) var numbers: [Int] = []

    func append(_ number: Int) { self.numbers.append(number) }
}
