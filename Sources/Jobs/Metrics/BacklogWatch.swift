import EventLoops
import Logging
import Metrics
import Postgres
import RabbitMQ

/// Asks PostgreSQL and the broker, four times a minute, how much waits and for how long, and tells it as gauges.
///
/// Each replica asks the same. What is not answered is not told until it is.
struct BacklogWatch: Sendable {
    let families: [String]
    let topology: Topology
    let pool: PostgresPool
    let loop: EventLoop
    let logger: Logger

    private static let period: Duration = .seconds(15)
    private static let queryTimeout: Duration = .seconds(5)
    private static let destinations = ["jobs", "events", "dead"]

    /// Asks PostgreSQL until the task is cancelled, whether there is a broker or not.
    func watchOutbox() async {
        while !Task.isCancelled {
            await self.lookAtOutbox()
            await self.countFaults()
            try? await self.loop.sleep(for: Self.period)
        }
    }

    /// Asks the broker until the task is cancelled or the connection is gone.
    func watchQueues(over connection: RabbitMQConnection) async {
        while !Task.isCancelled, await !connection.isClosed {
            await self.lookAtQueues(over: connection)
            try? await self.loop.sleep(for: Self.period)
        }
        for family in self.families {
            Self.tell(nil, of: self.topology.queue(family))
            Self.tell(nil, of: self.topology.deadQueue(family))
            self.tell(ageOfOldestDeath: .nan, in: family)
        }
    }
}

extension BacklogWatch {
    private func lookAtOutbox() async {
        do {
            let rows = try await self.pool.run(
                """
                SELECT destination, count(*) FILTER (WHERE available_at <= now()) AS due,
                    count(*) FILTER (WHERE available_at > now()) AS later,
                    greatest(extract(epoch FROM now()) - extract(epoch FROM min(available_at)), 0)::float8 AS oldest
                FROM (
                    SELECT destination, available_at FROM outbox WHERE set_aside_at IS NULL
                    ORDER BY available_at LIMIT 100000) AS rows
                GROUP BY destination
                """,
                within: Self.queryTimeout
            ).rows
            var found: [String: (due: Int, later: Int, oldest: Double)] = [:]
            for row in rows {
                found[try row.read("destination")] = (
                    try row.read("due"), try row.read("later"), try row.read("oldest")
                )
            }
            for destination in Self.destinations {
                let (due, later, oldest) = found[destination] ?? (0, 0, 0)
                Self.tell(destination, due: Double(due), later: Double(later), oldest: oldest)
            }
        } catch {
            self.logger.debug("the outbox could not be counted", metadata: ["error": "\(error)"])
            for destination in Self.destinations {
                Self.tell(destination, due: .nan, later: .nan, oldest: .nan)
            }
        }
    }

    /// Counts what waits for a person: rows that were set aside, schedules that disabled themselves.
    private func countFaults() async {
        var (setAside, failed): (Double, Double) = (.nan, .nan)
        do {
            let row = try await self.pool.run(
                """
                SELECT (SELECT count(*) FROM outbox WHERE set_aside_at IS NOT NULL) AS set_aside,
                    (SELECT count(*) FROM job_schedules WHERE NOT is_enabled AND last_error IS NOT NULL) AS failed
                """,
                within: Self.queryTimeout
            ).rows.first
            if let row {
                setAside = Double(try row.read("set_aside", as: Int.self))
                failed = Double(try row.read("failed", as: Int.self))
            }
        } catch {
            self.logger.debug("what was set aside could not be counted", metadata: ["error": "\(error)"])
        }
        Meter(label: "gpudev_outbox_set_aside_rows").set(setAside)
        Meter(label: "gpudev_schedules_failed").set(failed)
    }

    private static func tell(_ destination: String, due: Double, later: Double, oldest: Double) {
        let labels = [("destination", destination)]
        Meter(label: "gpudev_outbox_rows", dimensions: labels + [("state", "due")]).set(due)
        Meter(label: "gpudev_outbox_rows", dimensions: labels + [("state", "later")]).set(later)
        Meter(label: "gpudev_outbox_oldest_seconds", dimensions: labels).set(oldest)
    }

    private func lookAtQueues(over connection: RabbitMQConnection) async {
        for family in self.families {
            _ = await self.lookAt(self.topology.queue(family), over: connection)
            let letters = await self.lookAt(self.topology.deadQueue(family), over: connection)
            let age = await self.ageOfOldestDeath(in: family, letters: letters)
            self.tell(ageOfOldestDeath: age, in: family)
        }
    }

    private func tell(ageOfOldestDeath age: Double, in family: String) {
        let labels = [("queue", self.topology.deadQueue(family))]
        Meter(label: "gpudev_dead_oldest_seconds", dimensions: labels).set(age)
    }

    /// How many messages a queue has ready; nil if the broker does not say.
    private func lookAt(_ queue: String, over connection: RabbitMQConnection) async -> UInt32? {
        do {
            let status = try await connection.declareQueue(queue, passive: true)
            Self.tell(status, of: queue)
            return status.messages
        } catch {
            self.logger.debug("a queue could not be looked at", metadata: ["error": "\(error)"])
            Self.tell(nil, of: queue)
            return nil
        }
    }

    private static func tell(_ status: QueueStatus?, of queue: String) {
        let labels = [("queue", queue)]
        let (messages, consumers) = (status.map { Double($0.messages) }, status.map { Double($0.consumers) })
        Meter(label: "gpudev_queue_messages", dimensions: labels).set(messages ?? .nan)
        Meter(label: "gpudev_queue_consumers", dimensions: labels).set(consumers ?? .nan)
    }

    /// Seconds since the oldest job of a family died, of those whose letters may still be there.
    private func ageOfOldestDeath(in family: String, letters: UInt32?) async -> Double {
        guard let letters else { return .nan }
        guard letters > 0, let name = self.topology.families.first(where: { $0.queue == family })?.name else {
            return 0
        }
        do {
            let row = try await self.pool.run(
                """
                SELECT extract(epoch FROM now() - min(finished_at))::float8 AS age FROM job_ledger
                WHERE state = 'dead' AND kind LIKE \("\(name).%")
                """,
                within: Self.queryTimeout
            ).rows.first
            return try row?.readOptional("age") ?? 0
        } catch {
            return .nan
        }
    }
}
