import CRabbitMQ
import EventLoops
import Logging

extension RabbitMQConnection {
    /// Reads what has arrived, at most so much that others on the loop are not held up.
    func readFrames() {
        for _ in 0..<framesPerTurn {
            guard let wire = self.wire else { return }
            switch wire.nextFrame() {
            case .nothing: return
            case .failed(let status):
                self.end(with: RabbitMQError(status: status, during: "receive"))
                return
            case .frame(let frame):
                self.handle(frame, on: wire)
                wire.releaseBuffers()
            }
        }
        self.readLater()
    }

    /// Reads after others on the loop have run: the library may hold more frames than the socket shows.
    func readLater() {
        self.loop.execute { [weak self] in self?.assumeIsolated { $0.readFrames() } }
    }

    private func handle(_ frame: amqp_frame_t, on wire: Wire) {
        switch CInt(frame.frame_type) {
        case AMQP_FRAME_METHOD: self.handle(frame.payload.method, on: wire)
        case AMQP_FRAME_HEADER: self.handleHeader(frame)
        case AMQP_FRAME_BODY:
            self.incoming?.append(FieldReader.buffer(frame.payload.body_fragment))
            self.finishContent()
        default: break
        }
    }

    private func handle(_ method: amqp_method_t, on wire: Wire) {
        switch method.id {
        case AMQP_BASIC_DELIVER_METHOD: self.beginDelivery(method.as(amqp_basic_deliver_t.self))
        case AMQP_BASIC_ACK_METHOD:
            let ack = method.as(amqp_basic_ack_t.self)
            self.noteConfirm(ack.delivery_tag, multiple: ack.multiple != 0, isRefusal: false)
        case AMQP_BASIC_NACK_METHOD:
            let nack = method.as(amqp_basic_nack_t.self)
            self.noteConfirm(nack.delivery_tag, multiple: nack.multiple != 0, isRefusal: true)
        case AMQP_BASIC_RETURN_METHOD:
            let text = method.as(amqp_basic_return_t.self)
            let outcome = PublishOutcome.returned(
                code: text.reply_code,
                text: FieldReader.text(text.reply_text)
            )
            self.incoming = IncomingContent(.returned(outcome))
        case AMQP_BASIC_GET_OK_METHOD: self.beginGet(method.as(amqp_basic_get_ok_t.self))
        case AMQP_BASIC_GET_EMPTY_METHOD: self.answerCall(AMQP_BASIC_GET_OK_METHOD, with: .delivery(nil))
        case AMQP_QUEUE_DECLARE_OK_METHOD: self.answerDeclare(method.as(amqp_queue_declare_ok_t.self))
        case AMQP_BASIC_CANCEL_OK_METHOD:
            self.removeConsumer(FieldReader.text(method.as(amqp_basic_cancel_ok_t.self).consumer_tag))
            self.answerCall(method.id, with: .done)
        case AMQP_BASIC_CANCEL_METHOD:
            self.consumerWasCancelled(FieldReader.text(method.as(amqp_basic_cancel_t.self).consumer_tag))
        case AMQP_CONNECTION_BLOCKED_METHOD: self.setBlocked(true)
        case AMQP_CONNECTION_UNBLOCKED_METHOD: self.setBlocked(false)
        case AMQP_CHANNEL_CLOSE_METHOD: self.channelWasClosed(method.as(amqp_channel_close_t.self), on: wire)
        case AMQP_CONNECTION_CLOSE_METHOD: self.wasClosed(method.as(amqp_connection_close_t.self), on: wire)
        default: self.answerCall(method.id, with: .done)
        }
    }

    private func answerDeclare(_ answer: amqp_queue_declare_ok_t) {
        let status = QueueStatus(
            name: FieldReader.text(answer.queue),
            messages: answer.message_count,
            consumers: answer.consumer_count
        )
        self.answerCall(AMQP_QUEUE_DECLARE_OK_METHOD, with: .queue(status))
    }

    private func setBlocked(_ isBlocked: Bool) {
        self.isBlocked = isBlocked
        self.logger.warning("the broker's alarm changed", metadata: ["rabbitmq.blocked": "\(isBlocked)"])
        self.blockingObserver?(isBlocked)
        self.requestFlush()
    }
}

extension RabbitMQConnection {
    private func beginDelivery(_ method: amqp_basic_deliver_t) {
        let tag = FieldReader.buffer(method.consumer_tag)
        self.acknowledgements.noteDelivery(method.delivery_tag + self.deliveryOffset)
        self.incoming = IncomingContent(
            .delivery(
                number: method.delivery_tag,
                redelivered: method.redelivered != 0,
                exchange: FieldReader.text(method.exchange),
                routingKey: FieldReader.text(method.routing_key),
                consumer: self.consumers.first { $0.tagBytes.elementsEqual(tag) }
            )
        )
    }

    private func beginGet(_ method: amqp_basic_get_ok_t) {
        self.acknowledgements.noteDelivery(method.delivery_tag + self.deliveryOffset)
        self.incoming = IncomingContent(
            .got(
                number: method.delivery_tag,
                redelivered: method.redelivered != 0,
                exchange: FieldReader.text(method.exchange),
                routingKey: FieldReader.text(method.routing_key)
            )
        )
    }

    private func handleHeader(_ frame: amqp_frame_t) {
        guard let decoded = frame.payload.properties.decoded else { return }
        let properties = decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee
        self.incoming?.properties = FieldReader.properties(properties)
        self.incoming?.bodySize = Int(clamping: frame.payload.properties.body_size)
        self.finishContent()
    }

    private func finishContent() {
        guard let content = self.incoming, content.isComplete, let properties = content.properties else {
            return
        }
        self.incoming = nil
        let message = Message(properties: properties, body: content.body)
        switch content.purpose {
        case .returned(let outcome): self.noteReturn(outcome, of: properties)
        case .delivery(let number, let redelivered, let exchange, let routingKey, let consumer):
            guard let consumer, !self.isClosing else { return }
            consumer.onDelivery(
                Delivery(
                    tag: self.tag(number),
                    redelivered: redelivered,
                    exchange: exchange,
                    routingKey: routingKey,
                    queue: consumer.queue,
                    message: message,
                    bodySize: content.bodySize
                )
            )
        case .got(let number, let redelivered, let exchange, let routingKey):
            let queue = self.calls.first?.queue ?? ""
            let delivery = Delivery(
                tag: self.tag(number),
                redelivered: redelivered,
                exchange: exchange,
                routingKey: routingKey,
                queue: queue,
                message: message
            )
            self.answerCall(AMQP_BASIC_GET_OK_METHOD, with: .delivery(delivery))
        }
    }

    private func tag(_ number: UInt64) -> DeliveryTag {
        DeliveryTag(epoch: self.epoch, number: number + self.deliveryOffset)
    }
}

extension amqp_method_t {
    /// The decoded method, which the library lays out as the type that belongs to its id.
    fileprivate func `as`<Method>(_ type: Method.Type) -> Method {
        self.decoded.assumingMemoryBound(to: type).pointee
    }
}

private let framesPerTurn = 512
