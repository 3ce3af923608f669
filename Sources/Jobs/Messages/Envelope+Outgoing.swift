import FoundationEssentials
import Logging
import RabbitMQ

extension Envelope {
    /// The event that tells of the job's success.
    func completion(_ success: Success) throws -> OutboxMessage {
        let event = CompletionEvent(
            job: self.id,
            kind: self.kind,
            ending: .completed,
            subject: success.subject,
            time: Date(),
            trace: self.message.onwardTrace,
            data: success.data
        )
        return try event.outgoing(correlation: self.message.properties.correlationID)
    }

    /// The same message again, for the job's next turn.
    func message(forTurn turn: Int) -> OutboxMessage {
        var next = self.message
        next.properties.headers[Self.turnHeader] = .int64(Int64(turn))
        return OutboxMessage(to: .jobs, routingKey: self.routingKey, next)
    }

    /// What log lines say about the job.
    var metadata: Logger.Metadata { ["job.id": "\(self.id)", "job.kind": "\(self.kind)"] }
}
