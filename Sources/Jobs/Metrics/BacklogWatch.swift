import EventLoops
import Logging
import MetricFamilies
import Metrics
import Postgres
import RabbitMQ

/// Queries PostgreSQL and the broker, four times a minute, how much waits and for how long, for gauges.
///
/// Each replica asks the same. What is not answered is left out until it is.
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
            let start = ContinuousClock.now
            await self.pollOutbox()
            await self.countFaults()
            // While a long snapshot keeps what is gone in the indexes, this takes its time.
            try? await self.loop.sleep(for: max(Self.period, start.duration(to: .now) * 20))
        }
    }

    /// Asks the broker until the task is cancelled or the connection is gone.
    func watchQueues(over connection: RabbitMQConnection) async {
        while !Task.isCancelled, await !connection.isClosed {
            await self.pollQueues(over: connection)
            try? await self.loop.sleep(for: Self.period)
        }
        for family in self.families {
            Self.report(nil, of: self.topology.queue(family))
            Self.report(nil, of: self.topology.deadQueue(family))
            self.report(ageOfOldestDead: .nan, in: family)
        }
    }
}

extension BacklogWatch {
    private func pollOutbox() async {
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
                Self.report(destination, due: Double(due), later: Double(later), oldest: oldest)
            }
        } catch {
            self.logger.debug("the outbox could not be counted", metadata: ["error": "\(error)"])
            for destination in Self.destinations {
                Self.report(destination, due: .nan, later: .nan, oldest: .nan)
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
        Self.setAsideRows().set(setAside)
        Self.failedSchedules().set(failed)
    }

    private static func report(_ destination: String, due: Double, later: Double, oldest: Double) {
        let labels = [("destination", destination)]
        Self.outboxRows(labels + [("state", "due")]).set(due)
        Self.outboxRows(labels + [("state", "later")]).set(later)
        Self.oldestRow(labels).set(oldest)
    }

    private func pollQueues(over connection: RabbitMQConnection) async {
        for family in self.families {
            _ = await self.poll(self.topology.queue(family), over: connection)
            let deadMessages = await self.poll(self.topology.deadQueue(family), over: connection)
            let age = await self.ageOfOldestDead(in: family, deadMessages: deadMessages)
            self.report(ageOfOldestDead: age, in: family)
        }
    }

    private func report(ageOfOldestDead age: Double, in family: String) {
        Self.oldestDead([("queue", self.topology.deadQueue(family))]).set(age)
    }

    /// How many messages a queue has ready; nil if the broker does not say.
    private func poll(_ queue: String, over connection: RabbitMQConnection) async -> UInt32? {
        do {
            let status = try await connection.declareQueue(queue, passive: true)
            Self.report(status, of: queue)
            return status.messages
        } catch {
            self.logger.debug("a queue could not be polled", metadata: ["error": "\(error)"])
            Self.report(nil, of: queue)
            return nil
        }
    }

    private static func report(_ status: QueueStatus?, of queue: String) {
        let labels = [("queue", queue)]
        let (messages, consumers) = (status.map { Double($0.messages) }, status.map { Double($0.consumers) })
        Self.messages(labels).set(messages ?? .nan)
        Self.consumers(labels).set(consumers ?? .nan)
    }

    /// Seconds since the oldest job of a family died, of those whose messages may still be in the dead queue.
    private func ageOfOldestDead(in family: String, deadMessages: UInt32?) async -> Double {
        guard let deadMessages else { return .nan }
        guard deadMessages > 0, let name = self.topology.families.first(where: { $0.queue == family })?.name
        else {
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

extension BacklogWatch {
    private static let messages = GaugeFamily(
        "gpudev_queue_messages",
        "Messages that are ready to be delivered; in a dead queue, its dead-letter messages."
    )
    private static let consumers = GaugeFamily(
        "gpudev_queue_consumers",
        "Consumers of a queue, of all replicas."
    )
    private static let oldestDead = GaugeFamily(
        "gpudev_dead_oldest_seconds",
        """
        How long ago the oldest dead job that was not replayed since had ended, by the ledger; 0 where \
        the dead queue is empty.
        """
    )
    private static let outboxRows = GaugeFamily(
        "gpudev_outbox_rows",
        """
        Rows that are due, or will be later (retries, snoozes, delayed jobs, and for five seconds what \
        a worker has just committed).
        """
    )
    private static let oldestRow = GaugeFamily(
        "gpudev_outbox_oldest_seconds",
        "How long the oldest due row has been due; 0 if none is."
    )
    private static let setAsideRows = GaugeFamily(
        "gpudev_outbox_set_aside_rows",
        "Rows that can never be sent and wait for a person."
    )
    private static let failedSchedules = GaugeFamily(
        "gpudev_schedules_failed",
        "Schedules that disabled themselves because their jobs could not be enqueued."
    )
}
