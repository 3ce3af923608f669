package import FoundationEssentials
package import RabbitMQ

/// A message in a dead queue, and what its headers say of its death.
package struct DeadLetter: Sendable {
    package let queue: String
    package let message: Message
    package let reason: String
    package let code: String
    package let error: String
    package let attempts: Int
    package let deadAt: Date?
    package let replayCount: Int

    /// Where the message came from.
    package let exchange: String
    package let routingKey: String

    /// The id as it stands in the message, which may be none or no UUID.
    package var messageID: String? { self.message.properties.messageID }
    package var jobID: JobID? { self.messageID.flatMap { JobID($0) } }
    package var kind: JobKind { JobKind(self.message.properties.type ?? self.routingKey) }

    /// By which a replay gets to a queue; the kind where the message came by the name of a queue.
    let replayRoutingKey: String

    package init(_ delivery: Delivery, in queue: String, of topology: Topology) {
        self.init(
            delivery.message,
            from: delivery.exchange,
            routingKey: delivery.routingKey,
            in: queue,
            of: topology
        )
    }

    /// `exchange` and `routingKey` are those by which it came into the dead queue.
    init(
        _ message: Message,
        from exchange: String,
        routingKey: String,
        in queue: String,
        of topology: Topology
    ) {
        let headers = message.properties.headers
        let brokers = BrokersDeath(headers)
        let malformation = brokers?.isRejection == true ? Malformed(rejected: message) : nil
        self.queue = queue
        self.message = message
        let found = malformation == nil ? brokers?.reason : FinalFailure.Cause.malformed.rawValue
        self.reason = headers[DeadLetterHeader.reason]?.string ?? found ?? "unknown"
        self.code = headers[DeadLetterHeader.code]?.string ?? malformation?.code ?? ""
        self.error = headers[DeadLetterHeader.error]?.string ?? malformation?.message ?? ""
        self.attempts = headers[DeadLetterHeader.attempts]?.integer.map { Int(clamping: $0) } ?? 0
        self.deadAt = headers[DeadLetterHeader.diedAt]?.string.flatMap { Date(rfc3339: $0) } ?? brokers?.time
        self.replayCount = DeadLetterHeader.replayCount(of: message)
        self.exchange = headers[DeadLetterHeader.exchange]?.string ?? brokers?.exchange ?? exchange
        // The broker itself vouches for the key that brought it here; the headers of a message that it dead-lettered are a
        // producer's.
        let key =
            topology.leads(routingKey)
            ? routingKey : headers[DeadLetterHeader.routingKey]?.string ?? brokers?.routingKey ?? routingKey
        self.routingKey = key
        self.replayRoutingKey = topology.leads(key) ? key : message.properties.type ?? key
    }

    /// The message as it goes out again: as it came at first, with one replay more.
    func replay(by whom: String, at time: Date) -> Message {
        self.message.with { properties in
            properties.expiration = properties.headers[DeadLetterHeader.expiration]?.string
            for name in DeadLetterHeader.ofDeath + DeadLetterHeader.ofOrigin + DeadLetterHeader.ofBroker {
                properties.headers[name] = nil
            }
            properties.headers[DeadLetterHeader.replayCount] = .int64(Int64(self.replayCount + 1))
            properties.headers[DeadLetterHeader.replayedAt] = .string(time.rfc3339)
            properties.headers[DeadLetterHeader.replayedBy] = .string(whom)
        }
    }
}

extension Malformed {
    /// Why a worker has rejected a message: its headers do not say, but the cause can be found again.
    fileprivate init?(rejected message: Message) {
        guard message.body.count > largestJobBody else { return nil }
        self.init(sizeOfBody: message.body.count)
    }
}

/// What RabbitMQ writes into `x-death` of a message that it has dead-lettered itself.
private struct BrokersDeath {
    let reason: String
    let isRejection: Bool
    let time: Date?
    let exchange: String?
    let routingKey: String?

    init?(_ headers: FieldTable) {
        guard case .array(let deaths)? = headers["x-death"], case .table(let death)? = deaths.first else {
            return nil
        }
        self.isRejection = death["reason"]?.string == "rejected"
        switch death["reason"]?.string {
        case "delivery_limit": self.reason = "delivery-limit"
        case "rejected": self.reason = "rejected-by-broker"
        case "expired": self.reason = "expired"
        case let other: self.reason = other ?? "unknown"
        }
        if case .timestamp(let seconds)? = death["time"] {
            self.time = Date(timeIntervalSince1970: Double(seconds))
        } else {
            self.time = nil
        }
        self.exchange = death["exchange"]?.string
        if case .array(let keys)? = death["routing-keys"] {
            self.routingKey = keys.first?.string
        } else {
            self.routingKey = nil
        }
    }
}
