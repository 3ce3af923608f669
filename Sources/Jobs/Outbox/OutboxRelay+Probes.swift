import EventLoops
import Logging
import Postgres
import RabbitMQ

extension OutboxRelay {
    /// How many rows are probed at once.
    private static let most = 32

    /// How many are published each over a connection of its own, where the broker ended the channel over one of them.
    private static let mostAlone = 4

    /// Tries suspect routes, and rows that fail again and again, over connections of their own until cancelled.
    func probe(over broker: RabbitMQConfiguration) async {
        let broker = broker.with {
            $0.connectionName += " probe"
            $0.connectTimeout = .seconds(5)
        }
        while !Task.isCancelled {
            do {
                try await self.loop.sleep(for: .seconds(1))
                while try await self.probeOnce(over: broker) {}
            } catch is CancellationError {
                return
            } catch {
                self.logger.debug("no suspect route could be tried", metadata: ["error": "\(error)"])
            }
        }
    }
}

extension OutboxRelay {
    /// Publishes a row of each suspect route whose time has come, and rows that fail again and again; whether there may
    /// be more of them.
    private func probeOnce(over broker: RabbitMQConfiguration) async throws -> Bool {
        let now = ContinuousClock.now
        let routes = self.suspects.due(at: now, atMost: Self.most / 2)
        guard !routes.isEmpty || now >= self.nextProbeOfFailing else { return false }
        self.nextProbeOfFailing = now + .seconds(5)
        return try await self.pool.transaction(within: .seconds(60)) { transaction in
            let batch = try await self.reader.probes(of: routes, atMost: Self.most, in: transaction)
            try await self.clearEmpty(routes, in: transaction)
            guard !batch.isEmpty else { return false }
            let outcomes = try await self.probe(batch.messages, over: broker)
            var settlement = OutboxSettlement()
            var answering: Set<OutboxRoute> = []
            for (row, (outcome, isAlone)) in zip(batch.messages, outcomes) {
                settlement.note(row.id, outcome, isAlone: isAlone, self.logger)
                if case .unanswered = outcome { continue }
                if self.suspects.clear(row.message.route) { answering.insert(row.message.route) }
            }
            for row in batch.unreadable { settlement.setAside(row.id, row.error, self.logger) }
            try await transaction.commit(after: settlement.statements + Self.hastening(answering))
            if !answering.isEmpty { self.wake() }
            return batch.hasMore && outcomes.contains { $0.outcome.isConfirmed }
        }
    }

    /// A route that has nothing to send is no suspect any more.
    private func clearEmpty(_ routes: [OutboxRoute], in transaction: Transaction) async throws {
        guard !routes.isEmpty else { return }
        let waiting = try await self.reader.waiting(routes, in: transaction)
        for route in routes where !waiting.contains(route) { self.suspects.clear(route) }
    }

    /// Publishes together, and then one by one what was unanswered because the broker ended the channel over one of it.
    private func probe(_ rows: [(id: Int, message: OutboxMessage)], over broker: RabbitMQConfiguration)
        async throws -> [(outcome: PublishOutcome, isAlone: Bool)]
    {
        var outcomes = try await self.lendProbe(broker) { await self.publish(rows, over: $0).outcomes }
            .map { (outcome: $0, isAlone: rows.count == 1) }
        guard rows.count > 1 else { return outcomes }
        var tries = 0
        for index in rows.indices {
            guard case .unanswered(let error) = outcomes[index].outcome, error.code != .deadlineExceeded
            else {
                continue
            }
            tries += 1
            guard tries <= Self.mostAlone else {
                let reason = RabbitMQError(.closed, during: "basic.publish", "the channel ended over another")
                outcomes[index].outcome = .unanswered(reason)
                continue
            }
            let outcome = try await self.lendProbe(broker) {
                await self.publish([rows[index]], over: $0).outcomes[0]
            }
            outcomes[index] = (outcome, true)
        }
        return outcomes
    }

    private func lendProbe<Value>(
        _ broker: RabbitMQConfiguration,
        _ body: (RabbitMQConnection) async -> Value
    ) async throws -> Value {
        let connection = try await RabbitMQConnection.connect(broker, on: self.loop, logger: self.logger)
        let value = await body(connection)
        await connection.close(within: .seconds(1))
        return value
    }

    /// Makes due what waits because its route did not answer.
    private static func hastening(_ routes: Set<OutboxRoute>) -> [SQL] {
        routes.map { route in
            """
            UPDATE outbox SET available_at = now() WHERE tries > 0 AND set_aside_at IS NULL AND available_at > now()
                AND destination = \(route.destination) AND routing_key = \(route.routingKey)
            """
        }
    }
}
