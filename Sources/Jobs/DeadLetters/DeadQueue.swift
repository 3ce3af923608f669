import FoundationEssentials
package import Postgres
package import RabbitMQ

/// A dead queue, as a person inspects it and replays messages.
///
/// Messages are taken without a verdict and given back in the order of their coming. A quorum queue puts what comes
/// back behind what came back before, so the order stays only if each look goes through the whole queue.
package struct DeadQueue: Sendable {
    private let name: String
    private let topology: Topology
    private let connection: RabbitMQConnection

    package init(_ name: String, of topology: Topology, on connection: RabbitMQConnection) {
        self.name = name
        self.topology = topology
        self.connection = connection
    }

    /// The messages that `filter` accepts, oldest first.
    package func messages(matching filter: DeadLetterFilter, limit: Int = .max) async throws -> [DeadLetter] {
        var messages: [DeadLetter] = []
        try await self.forEach { letter in
            if messages.count < limit, filter.accepts(letter) { messages.append(letter) }
            return .keep
        }
        return messages
    }

    private enum Verdict {
        case keep, takeOff
    }

    /// Replays messages, each in three steps: the ledger and the outbox in one transaction, then the verdict.
    ///
    /// It can be interrupted at any point and done again: a dead-letter message whose replay is in the ledger already is only
    /// taken off the queue. Returns how many were replayed.
    package func replay(
        matching filter: DeadLetterFilter,
        limit: Int = .max,
        by whom: String,
        pause: Duration,
        through database: PostgresPool,
        onReplay: (DeadLetter) -> Void,
    ) async throws -> Int {
        var count = 0
        try await self.forEach { letter in
            guard count < limit, filter.accepts(letter) else { return .keep }
            if count > 0, pause > .zero { try await Task.sleep(for: pause) }
            try await self.enqueue(letter, by: whom, through: database)
            KillPoint.replayed.reach()
            count += 1
            onReplay(letter)
            return .takeOff
        }
        return count
    }

    /// Goes through what is in the queue now; what is kept goes back to its place at the end.
    private func forEach(_ decide: (DeadLetter) async throws -> Verdict) async throws {
        var kept: [DeliveryTag] = []
        do {
            try await self.forEach(keeping: &kept, decide)
        } catch {
            for tag in kept { self.connection.giveBack(tag) }
            throw error
        }
        for tag in kept { self.connection.giveBack(tag) }
        try await self.waitUntilBack(kept.count)
    }

    /// Messages that were given back show up a little later; whoever looks next would miss them.
    private func waitUntilBack(_ count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(2)
        while try await self.connection.declareQueue(self.name, passive: true).messages < count,
            ContinuousClock.now < deadline
        {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func forEach(
        keeping kept: inout [DeliveryTag],
        _ decide: (DeadLetter) async throws -> Verdict
    ) async throws {
        let status = try await self.connection.declareQueue(self.name, passive: true)
        for _ in 0..<status.messages {
            guard let delivery = try await self.connection.get(self.name) else { return }
            kept.append(delivery.tag)
            if try await decide(DeadLetter(delivery, in: self.name, of: self.topology)) == .takeOff {
                kept.removeLast()
                self.connection.acknowledge(delivery.tag)
            }
        }
    }

    /// Puts the message into the outbox, on condition that the ledger does not have this replay yet.
    ///
    /// A job that the ledger does not know, such as a malformed one, has nothing to be checked against.
    private func enqueue(_ letter: DeadLetter, by whom: String, through database: PostgresPool) async throws {
        let message = OutboxMessage(
            to: .jobs,
            routingKey: letter.replayRoutingKey,
            letter.replay(by: whom, at: Date())
        )
        try await database.transaction { transaction in
            if let job = letter.jobID {
                let known = try await transaction.run(
                    "SELECT replays FROM job_ledger WHERE job_id = \(job) FOR UPDATE"
                ).rows.first
                if try known?.read("replays", as: Int.self) ?? 0 > letter.replayCount { return }
                _ = try await transaction.run(
                    """
                    UPDATE job_ledger SET state = 'waiting', replays = \(letter.replayCount + 1), finished_at = NULL
                    WHERE job_id = \(job) AND state = 'dead'
                    """
                )
            }
            try await transaction.commit(after: [try message.insertion(), "NOTIFY gpudev_outbox"])
        }
    }
}
