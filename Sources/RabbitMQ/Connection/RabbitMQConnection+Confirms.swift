extension RabbitMQConnection {
    /// Gives the message its sequence number and the mark by which a return of it is known.
    func note(_ publish: inout PendingPublish) {
        let outboxID = publish.outgoing.message.properties.headers[outboxHeader]
        let number = self.unconfirmed.open(
            UnconfirmedPublish(
                batch: publish.batch,
                batchID: publish.batchID,
                index: publish.index,
                outboxID: publish.outgoing.mandatory ? outboxID : nil
            )
        )
        guard publish.outgoing.mandatory else { return }
        if let outboxID {
            self.returnable[outboxID, default: []].append(number)
        } else {
            publish.outgoing.message.properties.headers[publishHeader] = nil
            publish.extraHeader = FieldTable.Entry(name: publishHeader, value: .int64(Int64(number)))
        }
    }

    /// Notes that the broker has returned a message; its confirm follows.
    func noteReturn(_ outcome: PublishOutcome, of properties: MessageProperties) {
        let headers = properties.headers
        var number: UInt64?
        if let outboxID = headers[outboxHeader] {
            number = self.returnable[outboxID]?.first
            self.forget(outboxID, number)
        } else if case .int64(let own)? = headers.entries.last(where: { $0.name == publishHeader })?.value {
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
    private func forget(_ outboxID: FieldValue, _ number: UInt64?) {
        guard var numbers = self.returnable[outboxID] else { return }
        if let index = number.flatMap(numbers.firstIndex) ?? numbers.indices.first {
            numbers.remove(at: index)
        }
        self.returnable[outboxID] = numbers.isEmpty ? nil : numbers
    }
}

/// The header by which the caller names a message, and the one that stands in for it.
private let outboxHeader = "x-outbox-id"
private let publishHeader = "x-publish-id"
