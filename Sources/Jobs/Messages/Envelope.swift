package import RabbitMQ

/// A job message whose envelope is in order: it has an id and a kind, and its body can be JSON.
///
/// A class, since it goes through many hands, and a copy of all its texts costs more than the reference.
package final class Envelope: Sendable {
    package let id: JobID

    /// The routing key, which the broker's permissions check; `type` where the message came another way than by the
    /// exchange for jobs.
    package let kind: JobKind

    /// Who asked for the job, as far as this message says.
    package let requester: Requester

    /// How often the job has been brought back from a dead queue.
    package let replayCount: Int

    /// How often the job had been put off when the message was written; 0 for a producer's own.
    package let turn: Int

    /// How many replicas in a row have left the job to others, since they lack the settings for it.
    package let visitsInVain: Int

    /// The header of `visitsInVain`.
    static let visitsHeader = "x-visits-in-vain"

    /// Since when the job waits for what it must hold alone, in milliseconds since 1970 by PostgreSQL's clock; nil if it
    /// does not.
    package let waitsSince: Int?

    /// The header of `waitsSince`.
    static let waitHeader = "x-waits-since"

    /// The header of `turn`.
    static let turnHeader = "x-turn"

    /// Whether a queue has handed it out before.
    package let isRedelivered: Bool

    /// The message as it came, but for the headers of an earlier final failure.
    package let message: Message

    /// The message's body, read.
    let body: JobBody

    /// As it came; what is sent because of the message goes by `kind`.
    package let routingKey: String

    /// The queue that it came from.
    package let queue: String

    /// The exchange that it goes back to.
    package let exchange: String

    /// Throws what makes the message `malformed`: no retry will mend it.
    package init(_ delivery: Delivery, in topology: Topology) throws(Malformed) {
        let properties = delivery.message.properties
        guard let text = properties.messageID, let id = JobID(text) else {
            throw Malformed("message-id", "message_id must be a UUID; it names the job")
        }
        guard !delivery.holdsNUL else {
            throw Malformed("encoding", "a property or a header holds a NUL, which no text may hold")
        }
        try Self.checkContentType(properties.contentType)
        guard !delivery.isPassedOver else { throw Malformed(sizeOfBody: delivery.bodySize) }
        self.body = try JobBody(delivery.message.body)
        self.id = id
        self.kind = try Self.kind(of: delivery, in: topology)
        self.requester = Requester(properties)
        self.message = delivery.message.broughtBack
        self.replayCount = DeadLetterHeader.replayCount(of: self.message)
        let turn = delivery.message.properties.headers[Self.turnHeader]?.integer ?? 0
        // The ledger counts in 32 bits.
        self.turn = Int(Int32(clamping: turn))
        let visits = delivery.message.properties.headers[Self.visitsHeader]?.integer ?? 0
        self.visitsInVain = Int(Int32(clamping: max(0, visits)))
        // The longest wait is the next to end, so that it is for the relay alone to say.
        self.waitsSince = (delivery.message.properties.headers[Self.waitHeader]?.integer)
            .flatMap { Self.times.contains($0) ? Int($0) : nil }
        self.isRedelivered = delivery.redelivered
        self.exchange = topology.jobsExchange
        self.routingKey = delivery.routingKey
        self.queue = delivery.queue
    }

    /// What PostgreSQL can read as milliseconds since 1970: up to the year 9999.
    private static let times: ClosedRange<Int64> = 0...253_402_300_799_999

    /// Absent means JSON; parameters such as `charset` are ignored.
    private static func checkContentType(_ contentType: String?) throws(Malformed) {
        guard let contentType, contentType != "application/json" else { return }
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        guard type == "application/json" else {
            throw Malformed(
                "content-type",
                "content_type must be application/json, not \(contentType.prefix(100))"
            )
        }
    }
}

extension Envelope {
    /// The longest kind, in bytes: a routing key has 255 at most, and that of an event is longer than the kind.
    static let longestKind = 240

    /// What a message asks for.
    ///
    /// RabbitMQ's topic permissions check the routing key on the exchange for jobs, so that `type` may not say anything
    /// else. A letter that a person moved out of a dead queue has the key that it had at first in a header, which the
    /// worker wrote; whoever can publish past the exchange for jobs is not bound by topic permissions anyway.
    private static func kind(of delivery: Delivery, in topology: Topology) throws(Malformed) -> JobKind {
        let type = delivery.message.properties.type
        let key =
            delivery.exchange == topology.jobsExchange
            ? delivery.routingKey : delivery.message.routingKeyBeforeDeath(on: topology.jobsExchange)
        guard let name = key ?? type else {
            throw Malformed(
                "type",
                "type must name the kind where a message does not come by \(topology.jobsExchange)"
            )
        }
        guard type == nil || type == name else {
            throw Malformed("type", "type must be the routing key \(name), not \(type?.prefix(240) ?? "")")
        }
        guard name.utf8.count <= Self.longestKind else {
            throw Malformed("type", "a kind has at most \(Self.longestKind) bytes")
        }
        guard topology.leads(name) else {
            throw Malformed("type", "no queue is bound for \(name)")
        }
        return JobKind(name)
    }
}
