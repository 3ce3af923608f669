extension RabbitMQConnection {
    /// Gives the message its sequence number and the mark by which a return of it is known.
    func note(_ publish: inout PendingPublish) {
        let outboxID = publish.outgoing.outboxID
        let number = self.unconfirmed.open(
            UnconfirmedPublish(
                batch: publish.batch,
                batchID: publish.batchID,
                index: publish.index,
                outboxID: publish.outgoing.mandatory ? outboxID : nil
            )
        )
        guard publish.outgoing.mandatory || outboxID != nil else { return }
        publish.outgoing.message = publish.outgoing.message.withoutMarks
        if let outboxID {
            publish.extraHeader = FieldTable.Entry(name: outboxHeader, value: .int64(outboxID))
            if publish.outgoing.mandatory { self.returnable[outboxID, default: []].append(number) }
        } else {
            publish.extraHeader = FieldTable.Entry(name: publishHeader, value: .int64(Int64(number)))
        }
    }

    /// Notes that the broker has returned a message; its confirm follows.
    func noteReturn(_ outcome: PublishOutcome, of properties: MessageProperties) {
        var number: UInt64?
        if case .int64(let outboxID)? = properties.headers[outboxHeader] {
            number = self.returnable[outboxID]?.first
            self.forget(outboxID, number)
        } else if case .int64(let own)? = properties.headers[publishHeader] {
            number = UInt64(exactly: own)
        }
        guard let number else { return }
        self.unconfirmed.update(number) { $0.returned = outcome }
    }

    /// Notes a confirm (`basic.ack`, or `basic.nack` for a refusal).
    func noteConfirm(_ number: UInt64, multiple: Bool, isRefusal: Bool) {
        var settled: [UnconfirmedPublish] = []
        self.unconfirmed.settle(number, multiple: multiple) { settled.append($0) }
        for publish in settled {
            if let outboxID = publish.outboxID, publish.returned == nil { self.forget(outboxID, nil) }
            let outcome = isRefusal ? .refused : publish.returned ?? .confirmed
            self.settle(publish.batch, publish.batchID, publish.index, outcome)
        }
    }

    /// Takes one publish off those that may still be returned under that name.
    private func forget(_ outboxID: Int64, _ number: UInt64?) {
        guard var numbers = self.returnable.removeValue(forKey: outboxID) else { return }
        if let index = number.flatMap(numbers.firstIndex) ?? numbers.indices.first {
            numbers.remove(at: index)
        }
        if !numbers.isEmpty { self.returnable[outboxID] = numbers }
    }
}

extension Message {
    /// The message without what another publisher has marked it with.
    fileprivate var withoutMarks: Message {
        let isMarked = self.properties.headers.entries.contains {
            $0.name == outboxHeader || $0.name == publishHeader
        }
        guard isMarked else { return self }
        return self.with {
            $0.headers[outboxHeader] = nil
            $0.headers[publishHeader] = nil
        }
    }
}

/// The header by which the caller names a message, and the one that stands in for it.
private let outboxHeader = "x-outbox-id"
private let publishHeader = "x-publish-id"
