import EventLoops
import Foundation
import Jobs
import Postgres
import RabbitMQ
import Testing

/// The engine on a real broker and a real database, with handlers that do as they are told.
@Suite struct `A worker` {
    private static func none() -> KindTable { KindTable(Scripted { _, _ in Scripted.done }) }

    @Test func `records a job that writes rows together with its event, once for ten messages`() async throws
    {
        try await TestBed.with { bed in
            try await bed.withWorker(Self.none()) {
                let job = try await bed.publish("disk.recorded", #"{"key": "home"}"#)
                for _ in 1..<10 { try await bed.publish("disk.recorded", #"{"key": "home"}"#, id: job) }
                #expect(try await bed.events(1) == ["\(job).completed"])
                #expect(try await bed.ledger(job) == "succeeded 1")
            }
            let event = try await bed.connection.get(bed.eventsQueue)
            #expect(event == nil)
            #expect(try await bed.count("SELECT count(*) FROM disks") == 1)
        }
    }

    @Test func `leaves it to the broker to bury what the outbox cannot take`() async throws {
        try await TestBed.with { bed in
            try await bed.withWorker(Self.none()) {
                try await bed.publish("disk.recorded", #"{"key": "home"}"#, headers: ["x-note": "\0"])
                let letter = try await bed.deadLetter()
                #expect(letter.properties.headers["x-note"]?.string == "\0")
            }
            #expect(try await bed.count("SELECT count(*) FROM job_ledger") == 0)
        }
    }

    @Test func `lets the handler decide what a broken constraint means`() async throws {
        try await TestBed.with { bed in
            try await bed.withWorker(Self.none()) {
                try await bed.publish("disk.recorded", #"{"key": "home"}"#)
                _ = try await bed.events(1)
                let second = try await bed.publish("disk.recorded", #"{"key": "home"}"#)
                #expect(try await bed.events(1) == ["\(second).failed.1"])
                #expect(try await bed.ledger(second) == "dead 1")
                let letter = try await bed.deadLetter()
                #expect(letter.properties.headers[DeadLetterHeader.code]?.string == "disk-exists")
            }
        }
    }

    @Test func `tries again what may still succeed, and keeps a record of each failure`() async throws {
        let handler = Scripted { call, _ in
            if call < 3 { throw Conclusion.retry(Reason("not-yet", "later")) }
            return Scripted.done
        }
        try await TestBed.with { bed in
            try await bed.withWorker(KindTable(handler)) {
                let job = try await bed.publish("disk.scripted")
                #expect(try await bed.events(1) == ["\(job).completed"])
                #expect(try await bed.ledger(job) == "succeeded 3")
            }
            #expect(try await bed.count("SELECT count(*) FROM job_attempts WHERE fate = 'retry'") == 2)
        }
    }

    @Test func `tries again, up to its attempts, what takes PostgreSQL too long`() async throws {
        try await TestBed.with { bed in
            let pool = PostgresPool(
                bed.database.with { $0.statementTimeout = .milliseconds(200) },
                on: bed.loop,
                logger: TestBed.logger
            )
            let handler = Scripted { _, _ in
                _ = try await pool.run("SELECT pg_sleep(60)")
                return Scripted.done
            }
            try await bed.withWorker(KindTable(handler)) {
                let job = try await bed.publish("disk.scripted")
                #expect(try await bed.events(1) == ["\(job).failed.1"])
                #expect(try await bed.ledger(job) == "dead 3")
            }
            await pool.close()
            #expect(handler.calls == 3)
            #expect(try await bed.count("SELECT count(*) FROM job_attempts WHERE code = '57014'") == 3)
        }
    }

    @Test func `puts a job off at no cost under which PostgreSQL goes away again and again`() async throws {
        try await TestBed.with { bed in
            let pool = PostgresPool(bed.database, on: bed.loop, logger: TestBed.logger)
            let handler = Scripted { _, _ in
                _ = try await pool.run("SELECT pg_terminate_backend(pg_backend_pid())")
                return Scripted.done
            }
            try await bed.withWorker(KindTable(handler)) {
                let job = try await bed.publish("disk.scripted")
                try await bed.eventually { try await bed.ledger(job) == "waiting 0" }
                #expect(handler.calls == 7)
                let told: SQL = "SELECT count(*) FROM job_ledger WHERE error_code = 'database-away'"
                #expect(try await bed.count(told) == 1)
            }
            await pool.close()
        }
    }

    @Test func `buries a job whose tries are used up, with its body as it came`() async throws {
        let handler = Scripted { _, _ in throw Conclusion.retry(Reason("not-yet", "later")) }
        try await TestBed.with { bed in
            try await bed.withWorker(KindTable(handler)) {
                let body = #"{ "key":null,   "extra": [1, 2.50] }"#
                let job = try await bed.publish("disk.scripted", body, headers: ["x-requested-by": "alice"])
                let letter = try await bed.deadLetter()
                #expect(letter.body == [UInt8](body.utf8))
                let headers = letter.properties.headers
                #expect(headers[DeadLetterHeader.reason]?.string == "exhausted")
                #expect(headers[DeadLetterHeader.attempts]?.integer == 3)
                #expect(headers[DeadLetterHeader.routingKey]?.string == "disk.scripted")
                #expect(headers["x-requested-by"]?.string == "alice")
                #expect(try await bed.events(1) == ["\(job).failed.1"])
                #expect(try await bed.ledger(job) == "dead 3")
            }
        }
    }

    @Test func `lets a job snooze without using an attempt`() async throws {
        let handler = Scripted { call, _ in
            if call < 4 { throw Conclusion.snooze(.milliseconds(10), Reason("pending", "not there")) }
            return Scripted.done
        }
        try await TestBed.with { bed in
            try await bed.withWorker(KindTable(handler)) {
                let job = try await bed.publish("disk.scripted")
                _ = try await bed.events(1)
                #expect(try await bed.ledger(job) == "succeeded 1")
            }
        }
    }

    @Test func `does not multiply the turns of a job that came in several copies`() async throws {
        let handler = Scripted { call, _ in
            if call < 3 { throw Conclusion.snooze(.milliseconds(300), Reason("pending", "not there")) }
            return Scripted.done
        }
        try await TestBed.with { bed in
            try await bed.withWorker(KindTable(handler)) {
                let job = try await bed.publish("disk.scripted")
                for _ in 1..<5 { try await bed.publish("disk.scripted", id: job) }
                #expect(try await bed.events(1) == ["\(job).completed"])
                #expect(handler.calls == 3)
            }
        }
    }

    @Test func `cancels a try at its deadline and counts it`() async throws {
        let handler = Scripted(deadline: .milliseconds(50)) { call, _ in
            if call == 1 { try await Task.sleep(for: .seconds(60)) }
            return Scripted.done
        }
        try await TestBed.with { bed in
            try await bed.withWorker(KindTable(handler)) {
                let job = try await bed.publish("disk.scripted")
                try await bed.eventually { try await bed.ledger(job) == "waiting 1" }
                _ = try await bed.pool.run("UPDATE outbox SET available_at = now()")
                _ = try await bed.events(1)
                #expect(try await bed.ledger(job) == "succeeded 2")
            }
            let late: SQL = "SELECT count(*) FROM job_attempts WHERE code = 'deadline-exceeded'"
            #expect(try await bed.count(late) == 1)
        }
    }

    @Test func `runs jobs with the same key one after the other`() async throws {
        let handler = Scripted { _, _ in
            try await Task.sleep(for: .milliseconds(20))
            return Scripted.done
        }
        try await TestBed.with { bed in
            try await bed.withWorker(KindTable(handler)) {
                for _ in 1...4 { try await bed.publish("disk.scripted", #"{"key": "disk:alice/home"}"#) }
                #expect(try await bed.events(4).count == 4)
                #expect(handler.together == 1)
            }
        }
    }

    @Test(
        arguments: [
            (kind: "disk.recorded", body: "{", reason: "malformed"),
            (kind: "disk.recorded", body: #"{"key": 5}"#, reason: "invalid-payload"),
            (kind: "disk.recorded", body: "[]", reason: "invalid-payload"),
            (kind: "disk.unheard-of", body: "{}", reason: "unknown-kind"),
        ]
    )
    func `buries what can never be done and tells of it`(
        _ bad: (kind: String, body: String, reason: String)
    ) async throws {
        try await TestBed.with { bed in
            try await bed.withWorker(Self.none(), { $0.unknownKindWait = .milliseconds(30) }) {
                let job = try await bed.publish(bad.kind, bad.body)
                let letter = try await bed.deadLetter()
                #expect(letter.properties.headers[DeadLetterHeader.reason]?.string == bad.reason)
                #expect(letter.body == [UInt8](bad.body.utf8))
                #expect(try await bed.events(1) == ["\(job).failed.1"])
            }
        }
    }

    @Test func `gives back what it cannot finish in time, with no attempt used`() async throws {
        let handler = Scripted { call, _ in
            if call == 1 { try await Task.sleep(for: .seconds(60)) }
            return Scripted.done
        }
        try await TestBed.with { bed in
            let job = try await bed.publish("disk.scripted")
            try await bed.withWorker(KindTable(handler), { $0.shutdownGrace = .milliseconds(50) }) {
                try await bed.eventually { handler.calls == 1 }
            }
            #expect(try await bed.ledger(job) == "waiting 0")
            try await bed.withWorker(KindTable(handler)) {
                let events = try await bed.events(1)
                #expect(events == ["\(job).completed"])
                #expect(try await bed.ledger(job) == "succeeded 1")
            }
        }
    }

    @Test func `keeps an event that no queue would take until one does`() async throws {
        try await TestBed.with { bed in
            let (queue, exchange) = (bed.eventsQueue, bed.topology.eventsExchange)
            try await bed.connection.unbind(queue: queue, exchange: exchange, routingKey: "#")
            try await bed.withWorker(Self.none()) {
                let job = try await bed.publish("disk.scripted")
                let kept: SQL = "SELECT count(*) FROM outbox WHERE available_at > now() + interval '5 s'"
                try await bed.eventually { try await bed.count(kept) == 1 }
                try await bed.connection.bind(queue: queue, exchange: exchange, routingKey: "#")
                _ = try await bed.pool.run("UPDATE outbox SET available_at = now()")
                #expect(try await bed.events(1) == ["\(job).completed"])
            }
        }
    }

    @Test func `runs what SQL has enqueued`() async throws {
        try await TestBed.with { bed in
            try await bed.withWorker(Self.none()) {
                _ = try await bed.pool.run("SELECT enqueue_job('disk.scripted', '{}')")
                #expect(try await bed.events(1).count == 1)
            }
        }
    }

    @Test(arguments: ["disk.recorded", "disk.scripted"])
    func `does a job without a change of thread`(_ kind: String) async throws {
        let loop = EventLoop(name: "jobs")
        try await TestBed.with { bed in
            for number in 1...200 { try await bed.publish(kind, #"{"key": "\#(number)"}"#) }
            try await bed.withWorker(Self.none(), jobLoop: loop) { _ = try await bed.events(200) }
        }
        // Starting and ending take a few; the jobs themselves none.
        #expect(loop.remoteEnqueues < 50)
    }

    @Test func `refuses queues that could lose jobs`() async throws {
        try await TestBed.with { bed in
            let queue = bed.topology.queue("disks")
            try await bed.connection.deleteQueue(queue)
            try await bed.connection.declareQueue(queue, arguments: ["x-queue-type": "classic"])
            let error = try await #require(throws: UnsafeTopology.self) {
                try await bed.withWorker(Self.none()) { try await Task.sleep(for: .seconds(20)) }
            }
            #expect(error.faults.count == 1)
            #expect(error.faults.first?.contains(queue) == true)
        }
    }
}
