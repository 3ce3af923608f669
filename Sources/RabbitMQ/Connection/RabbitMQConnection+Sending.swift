import CRabbitMQ
import EventLoops

extension RabbitMQConnection {
    /// Sees to it that what is queued goes out when this iteration of the loop ends.
    func requestFlush() {
        guard !self.isFlushScheduled, self.wire != nil else { return }
        self.isFlushScheduled = true
        self.loop.atTurnEnd { [weak self] in
            self?.assumeIsolated { connection in
                connection.isFlushScheduled = false
                connection.flush()
            }
        }
    }

    /// Sends what is queued, verdicts and requests first, as far as the socket takes it without waiting.
    func flush() {
        self.queueVerdicts()
        guard let wire = self.wire, !self.isAwaitingWritability else { return }
        let isLarge = self.requests.count + (self.publishes.isEmpty ? 0 : 2) > 1
        if isLarge { wire.cork(true) }
        let status = self.sendQueued(on: wire)
        if isLarge { wire.cork(false) }
        guard status == AMQP_STATUS_OK.rawValue else {
            self.end(with: RabbitMQError(status: status, during: "send"))
            return
        }
        if wire.hasFrames { self.readLater() }
        guard self.requests.isEmpty else { return }
        for waiter in self.drainWaiters { waiter.resume() }
        self.drainWaiters = []
    }

    /// Turns the verdicts recorded so far into frames to send.
    func queueVerdicts() {
        guard !self.acknowledgements.isEmpty else { return }
        for frame in self.acknowledgements.takeFrames() {
            var frame = frame
            frame.number -= self.deliveryOffset
            self.requests.append { $0.send(frame) }
        }
    }

    private func sendQueued(on wire: Wire) -> CInt {
        var room = 0
        var sentRequests = 0
        defer { self.requests.removeFirst(sentRequests) }
        while true {
            let canRequest = sentRequests < self.requests.count && !self.publishes.isInsideMessage
            let canPublish = !self.publishes.isEmpty && (!self.isBlocked || self.publishes.isInsideMessage)
            guard canRequest || canPublish else { return AMQP_STATUS_OK.rawValue }
            if room <= 0 {
                guard wire.isWritable else {
                    self.awaitWritability()
                    return AMQP_STATUS_OK.rawValue
                }
                room = wire.sendShare
            }
            let status: CInt
            if canRequest {
                status = self.requests[sentRequests](wire)
                sentRequests += 1
                room -= 256
            } else {
                status = self.sendNextPart(on: wire, room: &room)
            }
            guard status == AMQP_STATUS_OK.rawValue else { return status }
        }
    }

    private func awaitWritability() {
        self.isAwaitingWritability = true
        self.watch?.update(for: .readingAndWriting)
    }
}
