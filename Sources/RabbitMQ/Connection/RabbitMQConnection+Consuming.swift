import CRabbitMQ
import EventLoops

extension RabbitMQConnection {
    /// Hands every message of `queue` to `onDelivery`, on the loop and in order, and returns the consumer tag.
    ///
    /// At most `prefetch` messages of this consumer are out without a verdict. When the broker ends the consumer,
    /// as it does when the queue is deleted, the connection ends with `consumerCancelled`. A body of more than
    /// `largestBody` bytes is read and dropped, so that it takes no memory; the delivery has its size.
    package func startConsuming(
        _ queue: String,
        prefetch: UInt16,
        arguments: FieldTable = [:],
        exclusive: Bool = false,
        largestBody: Int = .max,
        _ onDelivery: @escaping @Sendable (Delivery) -> Void,
    ) async throws(RabbitMQError) -> String {
        guard self.wire != nil, !self.isClosing else { throw self.closedError(during: "basic.consume") }
        self.lastConsumer += 1
        let tag = "consumer-\(self.epoch)-\(self.lastConsumer)"
        self.consumers.append(
            Consumer(tag: tag, queue: queue, largestBody: largestBody, onDelivery: onDelivery)
        )
        self.enqueueCall("basic.qos", answeredBy: AMQP_BASIC_QOS_OK_METHOD) { wire in
            let method = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: prefetch, global: 0)
            return wire.send(AMQP_BASIC_QOS_METHOD, method)
        }
        do throws(RabbitMQError) {
            _ = try await self.call("basic.consume", answeredBy: AMQP_BASIC_CONSUME_OK_METHOD) { wire in
                var method = amqp_basic_consume_t()
                method.exclusive = exclusive ? 1 : 0
                return wire.send(AMQP_BASIC_CONSUME_METHOD, method) { method, writer in
                    method.queue = writer.bytes(queue)
                    method.consumer_tag = writer.bytes(tag)
                    method.arguments = writer.table(arguments)
                }
            }
        } catch {
            self.removeConsumer(tag)
            throw error
        }
        return tag
    }

    /// Ends a consumer; what was on its way still comes before this returns.
    package func stopConsuming(_ tag: String) async throws(RabbitMQError) {
        _ = try await self.call("basic.cancel", answeredBy: AMQP_BASIC_CANCEL_OK_METHOD) { wire in
            wire.send(AMQP_BASIC_CANCEL_METHOD, amqp_basic_cancel_t()) { method, writer in
                method.consumer_tag = writer.bytes(tag)
            }
        }
    }

    /// Takes one message off a queue; nil if it is empty.
    package func get(_ queue: String) async throws(RabbitMQError) -> Delivery? {
        let reply = try await self.call("basic.get", answeredBy: AMQP_BASIC_GET_OK_METHOD, queue: queue) {
            wire in
            wire.send(AMQP_BASIC_GET_METHOD, amqp_basic_get_t()) { method, writer in
                method.queue = writer.bytes(queue)
            }
        }
        guard case .delivery(let delivery) = reply else { return nil }
        return delivery
    }

    func removeConsumer(_ tag: String) { self.consumers.removeAll { $0.tag == tag } }

    func consumerWasCancelled(_ tag: String) {
        let queue = self.consumers.first { $0.tag == tag }?.queue ?? ""
        let reason = "the broker ended the consumer of queue \(queue)"
        self.end(with: RabbitMQError(.consumerCancelled, during: "basic.cancel", reason))
    }
}

extension RabbitMQConnection {
    /// Records that the delivery is done with; sent at the end of the iteration, many in one frame where possible.
    ///
    /// From any thread, at no cost but a few instructions on the loop. A tag of another connection, and one that
    /// has been settled before, is dropped and counted.
    package nonisolated func acknowledge(_ tag: DeliveryTag) { self.settle(tag, .acknowledge) }

    /// Records that the delivery goes back to its queue (`basic.nack` with requeue).
    package nonisolated func giveBack(_ tag: DeliveryTag) { self.settle(tag, .giveBack) }

    /// Records that the delivery goes to the queue's dead-letter exchange (`basic.reject` without requeue).
    package nonisolated func reject(_ tag: DeliveryTag) { self.settle(tag, .reject) }

    /// Returns once every verdict recorded so far has been handed to the socket, or the connection is gone.
    package func flushAcknowledgements() async {
        self.flush()
        guard self.wire != nil, !self.requests.isEmpty else { return }
        await withCheckedContinuation { self.drainWaiters.append($0) }
    }

    private nonisolated func settle(_ tag: DeliveryTag, _ verdict: Acknowledgements.Verdict) {
        guard self.loop.isCurrent else {
            self.loop.execute { self.settle(tag, verdict) }
            return
        }
        self.assumeIsolated { $0.record(tag, verdict) }
    }

    private func record(_ tag: DeliveryTag, _ verdict: Acknowledgements.Verdict) {
        guard tag.epoch == self.epoch, self.wire != nil, self.acknowledgements.settle(tag.number, verdict)
        else {
            self.droppedAcknowledgements += 1
            return
        }
        self.requestFlush()
    }
}
