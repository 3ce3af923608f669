import CRabbitMQ
import EventLoops

extension RabbitMQConnection {
    /// Sends the recorded verdicts, then takes leave of the broker in order; at the deadline without its leave.
    ///
    /// Deliveries that come in meanwhile return to their queues. Publishes that still wait fail with `closed`.
    package func close(within timeout: Duration = .seconds(5)) async {
        guard self.wire != nil, !self.isClosing else {
            _ = await self.waitUntilClosed()
            return
        }
        self.flush()
        self.isClosing = true
        self.loop.after(timeout) { [weak self] in self?.assumeIsolated { $0.end(with: nil) } }
        // The channel's own leave shows that the broker has seen every verdict.
        await self.leave("channel.close", answeredBy: AMQP_CHANNEL_CLOSE_OK_METHOD) { wire in
            wire.send(AMQP_CHANNEL_CLOSE_METHOD, amqp_channel_close_t()) { method, writer in
                method.reply_code = UInt16(AMQP_REPLY_SUCCESS)
                method.reply_text = writer.bytes("done")
            }
        }
        await self.leave("connection.close", answeredBy: AMQP_CONNECTION_CLOSE_OK_METHOD) { wire in
            wire.send(AMQP_CONNECTION_CLOSE_METHOD, on: 0, amqp_connection_close_t()) { method, writer in
                method.reply_code = UInt16(AMQP_REPLY_SUCCESS)
                method.reply_text = writer.bytes("done")
            }
        }
        self.end(with: nil)
    }

    /// Whatever the answer is, the connection ends.
    private func leave(
        _ operation: String,
        answeredBy answer: amqp_method_number_t,
        _ send: @escaping (Wire) -> CInt
    ) async {
        guard self.wire != nil else { return }
        _ = await withCheckedContinuation { continuation in
            self.enqueueCall(operation, answeredBy: answer, waiting: continuation, send)
        }
    }

    /// The broker closed the connection.
    func wasClosed(_ method: amqp_connection_close_t, on wire: Wire) {
        if wire.isWritable {
            _ = wire.send(AMQP_CONNECTION_CLOSE_OK_METHOD, on: 0, amqp_connection_close_ok_t())
        }
        let reason = FieldReader.text(method.reply_text)
        self.end(
            with: RabbitMQError(
                .connectionLost,
                during: "connection.close",
                replyCode: method.reply_code,
                reason
            )
        )
    }

    /// The broker closed the channel: over a request it refused, over a publish, or by itself.
    func channelWasClosed(_ method: amqp_channel_close_t, on wire: Wire) {
        let reason = FieldReader.text(method.reply_text)
        let isPublish = method.class_id == 60 && method.method_id == 40
        let operation = isPublish ? "basic.publish" : self.calls.first?.operation ?? "channel.close"
        let refusal = RabbitMQError(channelClosed: method.reply_code, reason, during: operation)
        let lost = RabbitMQError(
            .channelClosed,
            during: operation,
            replyCode: method.reply_code,
            reason
        )
        // They start with an answer that will not come.
        let refusedConsumers = self.calls.count { $0.operation == "basic.consume" }
        self.consumers.removeLast(min(refusedConsumers, self.consumers.count))
        let isOverRequest = !isPublish && !self.calls.isEmpty
        if isOverRequest { self.calls.removeFirst().finish(.failure(refusal)) }
        if wire.isWritable { _ = wire.send(AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t()) }
        guard isOverRequest, self.isIdle else {
            self.end(with: lost, publishes: isPublish ? refusal : lost)
            return
        }
        self.failCalls(with: lost)
        self.reopenChannel()
    }

    /// Whether nothing but requests would notice another channel.
    private var isIdle: Bool {
        self.consumers.isEmpty && self.unconfirmed.openCount == 0 && self.publishes.isEmpty
            && self.acknowledgements.openCount == 0 && !self.isClosing
    }

    private func reopenChannel() {
        self.requests = []
        self.isConfirming = false
        self.unconfirmed = ConfirmWindow()
        self.deliveryOffset = self.acknowledgements.lastDelivered
        self.acknowledgements = Acknowledgements(after: self.deliveryOffset)
        self.enqueueCall("channel.open", answeredBy: AMQP_CHANNEL_OPEN_OK_METHOD) {
            $0.send(AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t())
        }
    }
}
