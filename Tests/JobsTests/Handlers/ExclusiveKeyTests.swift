import Foundation
import Jobs
import Postgres
import RabbitMQ
import Synchronization
import Testing

/// Jobs of which no two may run together, and what it costs them to wait.
@Suite struct `Jobs that need the same thing alone` {
    private static let parked: SQL = "SELECT count(*) FROM outbox WHERE waits_for IS NOT NULL"

    /// In a test nobody looks by himself: a wait that is not ended never ends.
    private static func onlyWhenTold(_ settings: inout WorkerSettings) {
        settings.longestPark = .seconds(3600)
    }

    @Test(.timeLimit(.minutes(3)))
    func `have it in the order of their waits, for one message each`() async throws {
        let order = Mutex<[String]>([])
        let expected = Mutex<[String]>([])
        try await TestBed.with { bed in
            let handler = Scripted { call, job in
                if call == 1 {
                    try await bed.eventually { try await bed.count(Self.parked) == 49 }
                    let waits: SQL =
                        "SELECT message_id FROM outbox WHERE waits_for IS NOT NULL ORDER BY waits_since, id"
                    let ids = try await bed.pool.run(waits).rows.map {
                        try $0.read("message_id", as: String.self)
                    }
                    expected.withLock { $0 = [job.id.description] + ids }
                }
                order.withLock { $0.append(job.id.description) }
                return Scripted.done
            }
            let copies = try await bed.copiesOfJobs()
            try await bed.withWorker(KindTable(handler), Self.onlyWhenTold) {
                for _ in 1...50 { try await bed.publish("disk.scripted", #"{"key": "disk:alice/home"}"#) }
                #expect(Set(try await bed.events(50)).count == 50)
            }
            #expect(handler.calls == 50 && handler.together == 1)
            #expect(order.withLock { $0 } == expected.withLock { $0 })
            // Each was published by its producer, and all but the first once more when their turn had come.
            #expect(try await bed.drain(copies) == 99)
            let attempts: SQL = "SELECT count(*) FROM job_ledger WHERE state = 'succeeded' AND attempts = 1"
            #expect(try await bed.count(attempts) == 50)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `lose no turn when holders let go at any moment`() async throws {
        let handler = Scripted { _, _ in
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...3)))
            guard Int.random(in: 0..<10) > 0 else {
                throw Conclusion.snooze(.milliseconds(20), Reason("pending", "not there"))
            }
            return Scripted.done
        }
        try await TestBed.with { bed in
            let copies = try await bed.copiesOfJobs()
            try await bed.withWorker(KindTable(handler), Self.onlyWhenTold) {
                try await bed.withWorker(KindTable(handler), Self.onlyWhenTold) {
                    for number in 1...300 {
                        try await bed.publish("disk.scripted", #"{"key": "disk:alice/home\#(number % 4)"}"#)
                    }
                    #expect(Set(try await bed.events(300)).count == 300)
                }
            }
            #expect(try await bed.count(Self.parked) == 0)
            #expect(try await bed.drain(copies) < 5 * 300)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `go on when the next in turn does not want it any more`() async throws {
        try await TestBed.with { bed in
            let handler = Scripted { call, _ in
                if call == 1 {
                    try await bed.eventually { try await bed.count(Self.parked) == 3 }
                    _ = try await bed.pool.run(
                        """
                        INSERT INTO job_ledger (job_id, kind, state)
                        SELECT message_id::uuid, type, 'cancelled' FROM outbox
                        WHERE waits_for IS NOT NULL ORDER BY waits_since, id LIMIT 1
                        """
                    )
                }
                return Scripted.done
            }
            try await bed.withWorker(KindTable(handler), Self.onlyWhenTold) {
                for _ in 1...4 { try await bed.publish("disk.scripted", #"{"key": "disk:alice/home"}"#) }
                #expect(try await bed.events(3).count == 3)
            }
            #expect(try await bed.count("SELECT count(*) FROM job_ledger WHERE state = 'cancelled'") == 1)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `look for themselves where a holder was lost without letting go`() async throws {
        let handler = Scripted { _, _ in Scripted.done }
        try await TestBed.with { bed in
            // Of a worker that nobody has ever seen, and whose message is lost.
            let lost: SQL = """
                INSERT INTO job_ledger (job_id, kind, state, starts, holder, exclusive_key, claimed_until)
                VALUES (gen_random_uuid(), 'disk.scripted', 'running', 1, 1, 'disk:alice/home', now() + interval '2 s')
                """
            try await bed.withSession { session in
                _ = try await session.run("SELECT pg_advisory_lock(1)")
                _ = try await bed.pool.run(lost)
                try await bed.withWorker(KindTable(handler), { $0.longestPark = .seconds(1) }) {
                    for _ in 1...5 { try await bed.publish("disk.scripted", #"{"key": "disk:alice/home"}"#) }
                    #expect(try await bed.events(5).count == 5)
                }
            }
        }
    }
}

extension TestBed {
    /// A queue that gets every message for a job too.
    fileprivate func copiesOfJobs() async throws -> String {
        let queue = "\(self.topology.prefix).test.jobs"
        try await self.connection.declareQueue(queue, arguments: ["x-queue-type": "quorum"])
        try await self.connection.bind(queue: queue, exchange: self.topology.jobsExchange, routingKey: "#")
        return queue
    }

    /// How many messages there are in a queue, which is deleted.
    fileprivate func drain(_ queue: String) async throws -> Int {
        var count = 0
        while let message = try await self.connection.get(queue) {
            self.connection.acknowledge(message.tag)
            count += 1
        }
        try await self.connection.deleteQueue(queue)
        return count
    }

    fileprivate func withSession(_ body: (PostgresConnection) async throws -> Void) async throws {
        let session = try await PostgresConnection.connect(self.database, on: self.loop, logger: Self.logger)
        try await body(session)
        await session.close()
    }
}
