import FoundationEssentials
import RabbitMQ

/// What is published when a job fails for good: the dead-letter message, and the event if the job has an id.
///
/// A message whose body was passed over is rejected, and is its own dead-letter message.
struct DeadLettering {
    let failure: FinalFailure
    private let message: Message
    private let exchange: String
    private let routingKey: String
    /// One that leads to a dead queue, whatever way the message came by.
    private let deadRoutingKey: String
    private let job: JobID?
    private let kind: JobKind
    /// What the job is about, as far as its payload says.
    private let subject: EventSubject?
    private let requester: Requester
    private let number: Int
    private let isRejected: Bool

    /// `number` counts how often the job has failed for good, from 1.
    init(
        _ failure: FinalFailure,
        of envelope: Envelope,
        number: Int,
        for requester: Requester? = nil,
        in topology: Topology
    ) {
        self.failure = failure
        let requester = requester ?? envelope.requester
        self.requester = requester
        self.message = envelope.message.with {
            $0.userID = requester.brokerUser
            // A replay begins anew.
            $0.headers[Envelope.visitsHeader] = nil
        }
        self.exchange = envelope.exchange
        self.routingKey = envelope.kind.name
        self.deadRoutingKey = envelope.kind.name
        self.job = envelope.id
        self.kind = envelope.kind
        self.subject = topology.subject(of: envelope.kind, envelope.body)
        self.number = number
        self.isRejected = false
    }

    /// Of a message that never became a job; how often it was dead-lettered is known from its replays alone.
    init(_ malformed: Malformed, of delivery: Delivery, in topology: Topology) {
        self.failure = FinalFailure(.malformed, code: malformed.code, error: malformed.message)
        let keyBefore =
            delivery.exchange == topology.jobsExchange
            ? nil : delivery.message.routingKeyBeforeDeath(on: topology.jobsExchange)
        self.message = delivery.message.broughtBack
        // However often it is moved by hand, it keeps the key that was checked when its producer sent it.
        self.exchange = keyBefore == nil ? delivery.exchange : topology.jobsExchange
        self.routingKey = keyBefore ?? delivery.routingKey
        self.deadRoutingKey =
            topology.leads(self.routingKey) ? self.routingKey : topology.keyOfMalformed(from: delivery.queue)
        self.requester = Requester(delivery.message.properties)
        self.job = delivery.message.properties.messageID.flatMap { JobID($0) }
        let key = self.exchange == topology.jobsExchange ? self.routingKey : nil
        let name = key ?? delivery.message.properties.type ?? delivery.routingKey
        let kind = JobKind(name.prefix(utf8Bytes: Envelope.longestKind))
        self.kind = kind
        self.subject = (try? JobBody(self.message.body)).flatMap { topology.subject(of: kind, $0) }
        self.number = DeadLetterHeader.replayCount(of: self.message) + 1
        self.isRejected = delivery.isPassedOver
    }

    func messages() -> [OutboxMessage] {
        let now = Date()
        let event = self.event(at: now)
        guard !self.isRejected else { return event }
        let deadLetter = self.failure.deadLetter(
            for: self.message,
            exchange: self.exchange,
            routingKey: self.routingKey,
            at: now
        )
        return [OutboxMessage(to: .dead, routingKey: self.deadRoutingKey, deadLetter)] + event
    }

    /// None where there is no job.
    private func event(at time: Date) -> [OutboxMessage] {
        guard let job = self.job else { return [] }
        let event = CompletionEvent(
            job: job,
            kind: self.kind,
            ending: .failed(death: self.number),
            subject: self.subject,
            time: time,
            requester: self.requester,
            trace: self.message.onwardTrace,
            data: FailureData(self.failure)
        )
        return [event.outgoing(correlation: self.message.properties.correlationID)]
    }
}
