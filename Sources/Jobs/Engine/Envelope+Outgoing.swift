import FoundationEssentials
import Logging
import RabbitMQ

extension Envelope {
    /// The completion event of a job that succeeded.
    func completion(_ success: Success, for requester: Requester) -> OutboxMessage {
        let event = CompletionEvent(
            job: self.id,
            kind: self.kind,
            ending: .completed,
            subject: success.subject,
            time: Date(),
            requester: requester,
            trace: self.message.onwardTrace,
            data: success.data
        )
        return event.outgoing(correlation: self.message.properties.correlationID)
    }

    /// The same message again, of a job that has not begun; its wait goes on.
    var messageAgain: OutboxMessage {
        OutboxMessage(to: .jobs, routingKey: self.kind.name, self.message, waitsSince: self.waitsSince)
    }

    /// The same message again, for the job's next turn, after so many visits in a row that were in vain.
    func message(forTurn turn: Int, visitsInVain: Int = 0) -> OutboxMessage {
        let next = self.message.with {
            $0.headers[Self.turnHeader] = .int64(Int64(turn))
            $0.headers[Self.visitsHeader] = visitsInVain > 0 ? .int64(Int64(visitsInVain)) : nil
        }
        return OutboxMessage(to: .jobs, routingKey: self.kind.name, next)
    }

    /// What log lines say about the job.
    var metadata: Logger.Metadata {
        // Room for what is added when it ends.
        var metadata = Logger.Metadata(minimumCapacity: 6)
        metadata["job.id"] = .string(self.id.description)
        metadata["job.kind"] = .string(self.kind.name)
        return metadata
    }
}
