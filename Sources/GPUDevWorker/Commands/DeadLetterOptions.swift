import ArgumentParser
import FoundationEssentials
import Jobs

/// Which dead-letter messages a command is about.
struct DeadLetterOptions: ParsableArguments {
    @Option(help: "The dead queue by its full name; all of them if not given.")
    var queue: String?

    @Option(help: "Only those of this kind.")
    var kind: String?

    @Option(help: "Only those that died for this reason, such as rejected.")
    var reason: String?

    @Option(help: "Only that of this job.")
    var job: String?

    @Option(help: "Only those dead-lettered at least this long ago, such as 1h.")
    var olderThan: String?

    @Option(help: "Maximum number of messages.")
    var limit: Int?

    func validate() throws {
        if let olderThan, DurationText(olderThan) == nil {
            throw ValidationError("--older-than must be a duration such as 10m, 1h or 7d")
        }
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    /// The messages meant, oldest first in each queue.
    func messages() async throws -> [DeadLetter] {
        let (broker, topology) = try await Settings.load({ $0.broker() }, { $0.topology() })
        return try await Connections.withBroker(broker) { connection in
            var messages: [DeadLetter] = []
            for queue in self.queues(topology) {
                let rest = (self.limit ?? .max) - messages.count
                guard rest > 0 else { break }
                messages += try await DeadQueue(queue, of: topology, on: connection).messages(
                    matching: self.filter,
                    limit: rest
                )
            }
            return messages
        }
    }

    /// Replays the dead-letter messages meant, and returns how many.
    func replay(atMost limit: Int, pause: Duration, onReplay: () -> Void) async throws -> Int {
        let (broker, topology, database) = try await Settings.load(
            { $0.broker() },
            { $0.topology() },
            { $0.database() }
        )
        return try await Connections.withDatabase(database.pooled) { pool in
            try await Connections.withBroker(broker) { connection in
                var count = 0
                for queue in self.queues(topology) where count < limit {
                    count += try await DeadQueue(queue, of: topology, on: connection).replay(
                        matching: self.filter,
                        limit: limit - count,
                        by: ProcessInfo.processInfo.userName,
                        pause: pause,
                        through: pool
                    ) { _ in onReplay() }
                }
                return count
            }
        }
    }

    private func queues(_ topology: Topology) -> [String] {
        self.queue.map { [$0] } ?? topology.families.map { topology.deadQueue($0.queue) }
    }

    private var filter: DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.kind = self.kind
        filter.reason = self.reason
        filter.job = self.job
        filter.before = self.olderThan.flatMap { DurationText($0) }.map {
            Date(timeIntervalSinceNow: -($0.duration / .seconds(1)))
        }
        return filter
    }
}
