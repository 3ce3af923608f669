package import RabbitMQ

extension Topology {
    /// Creates what is missing; what exists otherwise than it must be is an error that names the difference.
    package func declare(on connection: RabbitMQConnection) async throws(RabbitMQError) {
        for exchange in [self.jobsExchange, self.eventsExchange, self.deadExchange] {
            try await connection.declareExchange(exchange, type: "topic")
        }
        for queue in self.queues {
            try await connection.declareQueue(queue.name, arguments: queue.arguments)
            for key in queue.routingKeys {
                try await connection.bind(queue: queue.name, exchange: queue.exchange, routingKey: key)
            }
        }
    }

    /// What is missing or otherwise than it must be, as sentences that say what to do; none if all is well.
    ///
    /// Nothing is created: a queue that exists is declared again with the right arguments, which the broker accepts
    /// only if they are equal. Bindings cannot be asked for over AMQP; a missing one shows as a returned message.
    package func faults(on connection: RabbitMQConnection) async throws(RabbitMQError) -> [String] {
        var faults: [String] = []
        for exchange in [self.jobsExchange, self.eventsExchange, self.deadExchange] {
            do {
                try await connection.declareExchange(exchange, type: "topic", passive: true)
                try await connection.declareExchange(exchange, type: "topic")
            } catch {
                faults.append(try Self.fault("exchange \(exchange)", error))
            }
        }
        for queue in self.queues {
            do {
                try await connection.declareQueue(queue.name, passive: true)
                try await connection.declareQueue(queue.name, arguments: queue.arguments)
            } catch {
                faults.append(try Self.fault("queue \(queue.name)", error))
            }
        }
        return faults
    }

    private static func fault(_ thing: String, _ error: RabbitMQError) throws(RabbitMQError) -> String {
        switch error.code {
        case .notFound: "\(thing) is missing: run `gpudev-worker topology declare`"
        case .preconditionFailed:
            """
            \(thing) is not as it must be: \(error.message). Let it run empty, delete it, and run \
            `gpudev-worker topology declare`
            """
        default: throw error
        }
    }
}
