import CRabbitMQ
import EventLoops

extension RabbitMQConnection {
    /// Publishes one message and returns what became of it.
    package func publish(
        _ message: Message,
        to exchange: String,
        routingKey: String,
        mandatory: Bool = true,
        within timeout: Duration = .seconds(30),
    ) async throws(RabbitMQError) -> PublishOutcome {
        let outgoing = OutgoingMessage(message, to: exchange, routingKey: routingKey, mandatory: mandatory)
        let outcomes = try await self.publish([outgoing], within: timeout)
        return outcomes[0]
    }

    /// Publishes messages without waiting in between and returns what became of each, in their order.
    ///
    /// As `outcomes(of:within:silence:)`, but throws the reason if any message was left unanswered: `deadlineExceeded`
    /// (`blocked` where that is why), `connectionLost`, `closed`, `cancelled`, or what the broker closed the channel for.
    package func publish(
        _ batch: [OutgoingMessage],
        within timeout: Duration
    ) async throws(RabbitMQError) -> [PublishOutcome] {
        let outcomes = await self.outcomes(of: batch, within: timeout)
        for case .unanswered(let error) in outcomes { throw error }
        return outcomes
    }

    /// Publishes messages without waiting in between and returns what became of each, in their order.
    ///
    /// Any number may be in flight. While the broker blocks publishers or the socket is full they are held back.
    /// A returned message is matched by its `outboxID`, which travels in the header `x-outbox-id`; a mandatory one that has
    /// none gets a header `x-publish-id`. What has no answer when the time is up is `unanswered`, and the answers to the others are kept.
    ///
    /// - Parameters:
    ///   - batch: What to publish.
    ///   - timeout: How long to wait at most.
    ///   - silence: How long to wait for the rest when the broker has answered for some and says no more; as long as
    ///     `timeout` if not given.
    package func outcomes(
        of batch: [OutgoingMessage],
        within timeout: Duration,
        silence: Duration? = nil,
    ) async -> [PublishOutcome] {
        let id = self.lastBatch + 1
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                self.publish(batch, within: timeout, silence: silence) { waiting.resume(returning: $0) }
            }
        } onCancel: {
            self.loop.execute {
                let error = RabbitMQError(.cancelled, during: "basic.publish", "the task was cancelled")
                self.assumeIsolated { $0.giveUp(id, error) }
            }
        }
    }

    /// Publishes messages as `outcomes(of:within:silence:)` does, and calls `whenOver` on the loop with what became of each.
    ///
    /// For somebody on the loop who does not wait: the next batch may be published before this one is answered for.
    package func publish(
        _ batch: [OutgoingMessage],
        within timeout: Duration,
        silence: Duration? = nil,
        whenOver: @escaping @Sendable ([PublishOutcome]) -> Void,
    ) {
        self.lastBatch += 1
        guard self.wire != nil, !self.isClosing else {
            return whenOver(batch.map { _ in .unanswered(self.closedError(during: "basic.publish")) })
        }
        guard !batch.isEmpty else { return whenOver([]) }
        let open = PublishBatch(
            count: batch.count,
            deadline: .now + timeout,
            silenceLimit: silence ?? timeout,
            whenOver: whenOver
        )
        self.enqueue(batch, as: self.lastBatch, open)
    }

    private func enqueue(_ messages: [OutgoingMessage], as id: UInt64, _ batch: PublishBatch) {
        self.batches[id] = batch
        self.watch(id, for: batch.silenceLimit)
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

    private func watch(_ id: UInt64, for pause: Duration) {
        self.batches[id]?.setTimer(
            self.loop.after(max(pause, .milliseconds(1))) { [weak self] in
                self?.assumeIsolated { $0.checkTime(of: id) }
            }
        )
    }

    /// Stops waiting for a batch whose time is up, or comes back later.
    private func checkTime(of id: UInt64) {
        guard let batch = self.batches[id] else { return }
        let next = self.isBlocked ? batch.deadline : batch.nextCheck
        let pause = ContinuousClock.now.duration(to: next)
        guard pause <= .zero else { return self.watch(id, for: min(pause, batch.silenceLimit)) }
        let code: RabbitMQError.Code = self.isBlocked ? .blocked : .deadlineExceeded
        self.giveUp(id, RabbitMQError(code, during: "basic.publish", "not confirmed in time"))
    }

    private func startConfirming() {
        guard !self.isConfirming else { return }
        self.isConfirming = true
        self.enqueueCall("confirm.select", answeredBy: AMQP_CONFIRM_SELECT_OK_METHOD) {
            $0.send(AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t())
        }
    }

    private func giveUp(_ id: UInt64, _ error: RabbitMQError) {
        self.batches.removeValue(forKey: id)?.finish(because: error)
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
            publish.batch.noteProgress()
            return offset == message.body.count
        }
        room -= size
        return status
    }
}
