import CRabbitMQ
import EventLoops

extension RabbitMQConnection {
    /// Publishes one message and returns what became of it.
    package func publish(
        _ message: Message,
        to exchange: String,
        routingKey: String,
        mandatory: Bool = true,
        within patience: Duration = .seconds(30),
    ) async throws(RabbitMQError) -> PublishOutcome {
        let outgoing = OutgoingMessage(message, to: exchange, routingKey: routingKey, mandatory: mandatory)
        let outcomes = try await self.publish([outgoing], within: patience)
        return outcomes[0]
    }

    /// Publishes messages without waiting in between and returns what became of each, in their order.
    ///
    /// Any number may be in flight. While the broker blocks publishers or the socket is full they are held back.
    /// A returned message is matched by its header `x-outbox-id`; a mandatory one that has none gets a header
    /// `x-publish-id`. Throws `deadlineExceeded` (`blocked` where that is why), `connectionLost`, `closed`,
    /// `cancelled`, or what the broker closed the channel for; then the fate of the messages is unknown.
    package func publish(
        _ batch: [OutgoingMessage],
        within patience: Duration
    ) async throws(RabbitMQError) -> [PublishOutcome] {
        guard self.wire != nil, !self.isClosing else { throw self.closedError(during: "basic.publish") }
        guard !batch.isEmpty else { return [] }
        self.lastBatch += 1
        let id = self.lastBatch
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { self.enqueue(batch, as: id, within: patience, waiting: $0) }
        } onCancel: {
            self.loop.execute {
                let error = RabbitMQError(.cancelled, during: "basic.publish", "the task was cancelled")
                self.assumeIsolated { $0.giveUp(id, error) }
            }
        }.get()
    }

    private func enqueue(
        _ messages: [OutgoingMessage],
        as id: UInt64,
        within patience: Duration,
        waiting: CheckedContinuation<PublishBatch.Outcome, Never>,
    ) {
        let batch = PublishBatch(count: messages.count, waiting: waiting)
        self.batches[id] = batch
        batch.setDeadline(
            self.loop.after(patience) { [weak self] in self?.assumeIsolated { $0.expire(id) } }
        )
        self.startConfirming()
        for (index, outgoing) in messages.enumerated() {
            if let error = outgoing.fault(frameMax: self.wire?.frameMax ?? 0) {
                self.settle(batch, id, index, .unsendable(error))
            } else {
                self.publishes.append(
                    PendingPublish(outgoing: outgoing, batch: batch, batchID: id, index: index)
                )
            }
        }
        self.requestFlush()
    }

    private func startConfirming() {
        guard !self.isConfirming else { return }
        self.isConfirming = true
        self.enqueueCall("confirm.select", answeredBy: AMQP_CONFIRM_SELECT_OK_METHOD) {
            $0.send(AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t())
        }
    }

    private func expire(_ id: UInt64) {
        let code: RabbitMQError.Code = self.isBlocked ? .blocked : .deadlineExceeded
        self.giveUp(id, RabbitMQError(code, during: "basic.publish", "not confirmed in time"))
    }

    private func giveUp(_ id: UInt64, _ error: RabbitMQError) {
        self.batches.removeValue(forKey: id)?.finish(.failure(error))
    }

    func settle(_ batch: PublishBatch, _ id: UInt64, _ index: Int, _ outcome: PublishOutcome) {
        if batch.settle(index, outcome) { self.batches[id] = nil }
    }

    /// Sends the next frame of the oldest message that waits.
    func sendNextPart(on wire: Wire, room: inout Int) -> CInt {
        var status = AMQP_STATUS_OK.rawValue
        var size = 0
        self.publishes.withFirst { publish in
            if case .method = publish.stage, publish.batch.isOver { return true }
            let message = publish.outgoing.message
            switch publish.stage {
            case .method:
                self.note(&publish)
                status = wire.publish(publish.outgoing)
                publish.stage = .header
                size = 512
            case .header:
                status = wire.sendHeader(
                    message.properties,
                    extra: publish.extraHeader,
                    bodySize: message.body.count
                )
                publish.stage = .body(offset: 0)
                size = 1024
            case .body(let offset):
                size = min(message.body.count - offset, wire.frameMax - 8, wire.sendShare / 2)
                status = wire.sendBody(message.body[offset..<offset + size])
                publish.stage = .body(offset: offset + size)
            }
            guard case .body(let offset) = publish.stage else { return false }
            return offset == message.body.count
        }
        room -= size
        return status
    }
}
