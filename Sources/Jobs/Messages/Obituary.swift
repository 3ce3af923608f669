import FoundationEssentials
import RabbitMQ

/// What goes out when a job dies: the dead letter, and the event that tells of it if the job has an id.
struct Obituary {
    let death: Death
    private let message: Message
    private let exchange: String
    private let routingKey: String
    private let job: JobID?
    private let kind: JobKind
    private let number: Int

    /// `number` counts the deaths of the job, from 1.
    init(_ death: Death, of envelope: Envelope, number: Int) {
        self.death = death
        self.message = envelope.message
        self.exchange = envelope.exchange
        self.routingKey = envelope.routingKey
        self.job = envelope.id
        self.kind = envelope.kind
        self.number = number
    }

    /// Of a message that never became a job; how often it died is known from its replays alone.
    init(_ malformed: Malformed, of delivery: Delivery) {
        self.death = Death(.malformed, code: malformed.code, error: malformed.message)
        self.message = delivery.message
        self.exchange = delivery.exchange
        self.routingKey = delivery.routingKey
        self.job = delivery.message.properties.messageID.flatMap { JobID($0) }
        self.kind = JobKind(delivery.message.properties.type ?? delivery.routingKey)
        self.number = DeadLetterHeader.replayCount(of: delivery.message) + 1
    }

    func messages() throws -> [OutboxMessage] {
        let now = Date()
        let letter = self.death.letter(
            for: self.message,
            exchange: self.exchange,
            routingKey: self.routingKey,
            at: now
        )
        let burial = OutboxMessage(to: .dead, routingKey: self.routingKey, letter)
        guard let job = self.job else { return [burial] }
        let event = CompletionEvent(
            job: job,
            kind: self.kind,
            ending: .failed(death: self.number),
            subject: nil,
            time: now,
            trace: self.message.onwardTrace,
            data: FailureData(self.death)
        )
        return [burial, try event.outgoing(correlation: self.message.properties.correlationID)]
    }
}
