import CRabbitMQ

/// Each of these is one request, answered by the broker or failed with `notFound`, `preconditionFailed`,
/// `accessRefused`, `resourceLocked`, `connectionLost` or `deadlineExceeded`.
///
/// A refusal closes the channel. As long as the connection consumes nothing, publishes nothing and holds no
/// delivery, the channel is opened again and the connection lives on; else the connection ends.
extension RabbitMQConnection {
    /// Creates an exchange, or with `passive` checks that it exists.
    package func declareExchange(
        _ name: String,
        type: String,
        durable: Bool = true,
        arguments: FieldTable = [:],
        passive: Bool = false,
    ) async throws(RabbitMQError) {
        _ = try await self.call("exchange.declare", answeredBy: AMQP_EXCHANGE_DECLARE_OK_METHOD) { wire in
            wire.send(AMQP_EXCHANGE_DECLARE_METHOD, amqp_exchange_declare_t()) { method, writer in
                method.exchange = writer.bytes(name)
                method.type = writer.bytes(type)
                method.passive = passive ? 1 : 0
                method.durable = durable ? 1 : 0
                method.arguments = writer.table(arguments)
            }
        }
    }

    /// Creates a queue, or with `passive` checks that it exists; an empty name lets the broker choose one.
    @discardableResult
    package func declareQueue(
        _ name: String,
        durable: Bool = true,
        exclusive: Bool = false,
        autoDelete: Bool = false,
        arguments: FieldTable = [:],
        passive: Bool = false,
    ) async throws(RabbitMQError) -> QueueStatus {
        let reply = try await self.call("queue.declare", answeredBy: AMQP_QUEUE_DECLARE_OK_METHOD) { wire in
            wire.send(AMQP_QUEUE_DECLARE_METHOD, amqp_queue_declare_t()) { method, writer in
                method.queue = writer.bytes(name)
                method.passive = passive ? 1 : 0
                method.durable = durable ? 1 : 0
                method.exclusive = exclusive ? 1 : 0
                method.auto_delete = autoDelete ? 1 : 0
                method.arguments = writer.table(arguments)
            }
        }
        guard case .queue(let status) = reply else {
            return QueueStatus(name: name, messages: 0, consumers: 0)
        }
        return status
    }

    /// Routes what `exchange` gets under the key or pattern to `queue`.
    package func bind(
        queue: String,
        exchange: String,
        routingKey: String,
        arguments: FieldTable = [:]
    ) async throws(RabbitMQError) {
        _ = try await self.call("queue.bind", answeredBy: AMQP_QUEUE_BIND_OK_METHOD) { wire in
            wire.send(AMQP_QUEUE_BIND_METHOD, amqp_queue_bind_t()) { method, writer in
                method.queue = writer.bytes(queue)
                method.exchange = writer.bytes(exchange)
                method.routing_key = writer.bytes(routingKey)
                method.arguments = writer.table(arguments)
            }
        }
    }

    /// Takes a binding of a queue away.
    package func unbind(
        queue: String,
        exchange: String,
        routingKey: String,
        arguments: FieldTable = [:]
    ) async throws(RabbitMQError) {
        _ = try await self.call("queue.unbind", answeredBy: AMQP_QUEUE_UNBIND_OK_METHOD) { wire in
            wire.send(AMQP_QUEUE_UNBIND_METHOD, amqp_queue_unbind_t()) { method, writer in
                method.queue = writer.bytes(queue)
                method.exchange = writer.bytes(exchange)
                method.routing_key = writer.bytes(routingKey)
                method.arguments = writer.table(arguments)
            }
        }
    }

    /// Routes what `source` gets under the key or pattern to `destination` too.
    package func bindExchange(
        _ destination: String,
        to source: String,
        routingKey: String,
        arguments: FieldTable = [:]
    ) async throws(RabbitMQError) {
        _ = try await self.call("exchange.bind", answeredBy: AMQP_EXCHANGE_BIND_OK_METHOD) { wire in
            wire.send(AMQP_EXCHANGE_BIND_METHOD, amqp_exchange_bind_t()) { method, writer in
                method.destination = writer.bytes(destination)
                method.source = writer.bytes(source)
                method.routing_key = writer.bytes(routingKey)
                method.arguments = writer.table(arguments)
            }
        }
    }

    /// Deletes a queue and what it holds.
    package func deleteQueue(_ name: String) async throws(RabbitMQError) {
        _ = try await self.call("queue.delete", answeredBy: AMQP_QUEUE_DELETE_OK_METHOD) { wire in
            wire.send(AMQP_QUEUE_DELETE_METHOD, amqp_queue_delete_t()) { method, writer in
                method.queue = writer.bytes(name)
            }
        }
    }

    /// Deletes an exchange.
    package func deleteExchange(_ name: String) async throws(RabbitMQError) {
        _ = try await self.call("exchange.delete", answeredBy: AMQP_EXCHANGE_DELETE_OK_METHOD) { wire in
            wire.send(AMQP_EXCHANGE_DELETE_METHOD, amqp_exchange_delete_t()) { method, writer in
                method.exchange = writer.bytes(name)
            }
        }
    }

    /// Empties a queue of what is ready to be handed out.
    package func purge(_ queue: String) async throws(RabbitMQError) {
        _ = try await self.call("queue.purge", answeredBy: AMQP_QUEUE_PURGE_OK_METHOD) { wire in
            wire.send(AMQP_QUEUE_PURGE_METHOD, amqp_queue_purge_t()) { method, writer in
                method.queue = writer.bytes(queue)
            }
        }
    }
}

/// What a queue holds, as its declaration reports.
package struct QueueStatus: Sendable, Equatable {
    /// The queue's name, which the broker chose if the declaration gave none.
    package let name: String
    /// The messages that are ready to be handed out.
    package let messages: UInt32
    /// How many consumers the queue has.
    package let consumers: UInt32
}
