import Calls
import EventLoops
import Foundation
import Jobs
import Logging
import Postgres
import RabbitMQ
import Testing

/// A database, exchanges and queues of its own, and workers that run on them.
struct TestBed: Sendable {
    let topology: Topology
    let database: PostgresConfiguration
    let broker: RabbitMQConfiguration
    let pool: PostgresPool
    let connection: RabbitMQConnection
    let loop: EventLoop

    static let logger = Logger(label: "jobs-tests") { _ in SwiftLogNoOpLogHandler() }

    /// Every event of the bed goes here.
    var eventsQueue: String { "\(self.topology.prefix).test.events" }

    static func with(_ body: (TestBed) async throws -> Void) async throws {
        let name = "jobs_tests_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        let loop = EventLoop(name: "test")
        defer { loop.stop() }
        let admin = try await PostgresConnection.connect(Self.database(), on: loop, logger: Self.logger)
        _ = try await admin.run("CREATE DATABASE \(identifier: name) TEMPLATE template0")
        let bed = try await Self.open(name, loop)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(bed))
        } catch {
            result = .failure(error)
        }
        try await bed.close()
        _ = try await admin.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        await admin.close()
        try result.get()
    }

    private static func database() throws -> PostgresConfiguration {
        let url = ProcessInfo.processInfo.environment["GPUDEV_TEST_DATABASE_URL"]
        return PostgresConfiguration(try #require(url, "set GPUDEV_TEST_DATABASE_URL"))
    }

    private static func open(_ name: String, _ loop: EventLoop) async throws -> TestBed {
        let database = try Self.database().with { configuration in
            var parts = URLComponents(string: configuration.connectionString)
            parts?.path = "/" + name
            configuration.connectionString = parts?.string ?? ""
        }
        try await Self.migrate(database, loop)
        let url = ProcessInfo.processInfo.environment["GPUDEV_TEST_AMQP_URL"]
        let broker = try RabbitMQConfiguration(url: try #require(url, "set GPUDEV_TEST_AMQP_URL"))
        let connection = try await RabbitMQConnection.connect(broker, on: loop, logger: Self.logger)
        let bed = TestBed(
            topology: Topology(prefix: name, families: .ofTests, keepsEvents: false),
            database: database,
            broker: broker,
            pool: PostgresPool(database, on: loop, logger: Self.logger),
            connection: connection,
            loop: loop
        )
        try await bed.topology.declare(on: connection)
        try await connection.declareQueue(bed.eventsQueue, arguments: ["x-queue-type": "quorum"])
        try await connection.bind(
            queue: bed.eventsQueue,
            exchange: bed.topology.eventsExchange,
            routingKey: "#"
        )
        return bed
    }

    private static func migrate(_ database: PostgresConfiguration, _ loop: EventLoop) async throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../schemas/sql"
        )
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let migrations = try files.compactMap {
            Migration(fileName: $0.lastPathComponent, sql: try String(contentsOf: $0, encoding: .utf8))
        }
        let connection = try await PostgresConnection.connect(database, on: loop, logger: Self.logger)
        _ = try await Migrations(migrations).apply(on: connection)
        await connection.close()
    }

    private func close() async throws {
        for queue in self.topology.queues.map(\.name) + [self.eventsQueue] {
            try await self.connection.deleteQueue(queue)
        }
        let topology = self.topology
        for exchange in [topology.jobsExchange, topology.eventsExchange, topology.deadExchange] {
            try await self.connection.deleteExchange(exchange)
        }
        await self.connection.close()
        await self.pool.close()
    }
}

extension TestBed {
    /// Runs a worker while `body` runs; if the worker fails, `body` is cancelled.
    func withWorker(
        _ kinds: KindTable,
        _ adjust: (inout WorkerSettings) -> Void = { _ in },
        jobLoop jobs: EventLoop = EventLoop(name: "jobs"),
        _ body: @escaping @Sendable () async throws -> Void,
    ) async throws {
        var settings = WorkerSettings()
        settings.concurrency = 8
        settings.retries = RetrySchedule(
            backoff: Backoff(base: .milliseconds(20), cap: .seconds(3600)),
            maximumAttempts: 3
        )
        settings.busyDelay = .milliseconds(50)
        adjust(&settings)
        let relay = EventLoop(name: "relay")
        defer {
            jobs.stop()
            relay.stop()
        }
        let pool = PostgresPool(self.database.with { $0.connections = 1...4 }, on: jobs, logger: Self.logger)
        let worker = Worker(
            settings: settings,
            kinds: kinds,
            topology: self.topology,
            pool: pool,
            database: self.database,
            direct: self.database,
            broker: self.broker,
            health: WorkerHealth(loops: [jobs, relay]),
            jobLoop: jobs,
            relayLoop: relay,
            logger: Self.logger,
        )
        let shutdown = Shutdown()
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await withThrowingTaskGroup { group in
                    group.addTask { try await worker.run { await shutdown.wait() } }
                    group.addTask {
                        defer { shutdown.begin() }
                        try await body()
                    }
                    for try await _ in group {}
                }
            )
        } catch {
            result = .failure(error)
        }
        await pool.close()
        try result.get()
    }

    /// Publishes a job's message as a producer would, and returns the job's id.
    @discardableResult
    func publish(
        _ kind: String,
        _ body: String = "{}",
        id: String = UUID().uuidString.lowercased(),
        headers: FieldTable = [:],
    ) async throws -> String {
        let properties = MessageProperties(
            messageID: id,
            type: kind,
            contentType: "application/json",
            headers: headers
        )
        let message = Message(properties: properties, body: [UInt8](body.utf8))
        let outgoing = OutgoingMessage(message, to: self.topology.jobsExchange, routingKey: kind)
        let outcomes = try await self.connection.publish([outgoing], within: .seconds(10))
        let isTaken = outcomes.allSatisfy { $0.isConfirmed }
        #expect(isTaken)
        return id
    }

    /// The ids of the next `count` events, in the order of their coming.
    func events(_ count: Int) async throws -> [String] {
        var ids: [String] = []
        try await self.eventually {
            while let event = try await self.connection.get(self.eventsQueue) {
                self.connection.acknowledge(event.tag)
                ids.append(event.message.properties.messageID ?? "")
            }
            return ids.count >= count
        }
        return ids
    }

    /// The only letter in a family's dead queue.
    func deadLetter(_ family: String = "disks") async throws -> Message {
        var letter: Message?
        try await self.eventually {
            letter = try await self.connection.get(self.topology.deadQueue(family))?.message
            return letter != nil
        }
        return try #require(letter)
    }

    /// What the ledger says of a job, as `state attempts`.
    func ledger(_ job: String) async throws -> String? {
        let row = try await self.pool.run(
            "SELECT state || ' ' || attempts AS told FROM job_ledger WHERE job_id = \(job)::text::uuid"
        ).rows.first
        return try row?.read("told")
    }

    func count(_ query: SQL) async throws -> Int {
        try #require(try await self.pool.run(query).rows.first).read("count")
    }

    /// Waits until something has become true; fails after a minute, which is a bound on hanging.
    func eventually(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw NeverHappened()
    }

    private struct NeverHappened: Error {}
}
