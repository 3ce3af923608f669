import Logging
import Postgres
import RabbitMQ

/// What has become of rows of the outbox that were published, until it is recorded in PostgreSQL.
///
/// A row is deleted only when the broker is answerable for its message. One that was not taken, or not answered for,
/// comes back after a pause that grows from seconds to ten minutes; one that no attempt can help is set aside for a person.
struct OutboxSettlement: Sendable {
    private var confirmed: [Int] = []
    private var untaken: [Int] = []
    private var hopeless: [(id: Int, error: String)] = []

    var isEmpty: Bool { self.confirmed.isEmpty && self.untaken.isEmpty && self.hopeless.isEmpty }

    mutating func add(_ other: OutboxSettlement) {
        self.confirmed += other.confirmed
        self.untaken += other.untaken
        self.hopeless += other.hopeless
    }

    /// Notes what the broker said of a row; `isAlone` if nothing else was published that it could have meant.
    mutating func note(_ id: Int, _ outcome: PublishOutcome, isAlone: Bool = false, _ logger: Logger) {
        switch outcome {
        case .confirmed: self.confirmed.append(id)
        case .unsendable(let error): self.setAside(id, "\(error)", logger)
        case .unanswered(let error) where isAlone && error.code == .preconditionFailed:
            self.setAside(id, "\(error)", logger)
        // The connection ended for a reason of its own: the row is as it was.
        case .unanswered(let error) where !error.isAboutMessages: return
        case .returned, .refused, .unanswered:
            logger.error(
                "an outgoing message was not taken and stays in the outbox",
                metadata: ["outbox.id": "\(id)", "outcome": "\(outcome)"]
            )
            self.untaken.append(id)
        }
    }

    /// Puts a row out of the way until a person has looked at it.
    mutating func setAside(_ id: Int, _ error: String, _ logger: Logger) {
        let printable = error.unicodeScalars.prefix(2000).map { scalar in
            scalar.properties.generalCategory == .control ? " " : scalar
        }
        let error = String(String.UnicodeScalarView(printable))
        logger.error(
            "an outgoing message can never be sent and was set aside",
            metadata: ["outbox.id": "\(id)", "error": "\(error)"]
        )
        self.hopeless.append((id, error))
    }

    /// What is to be done in one transaction.
    ///
    /// It need not wait for the disk: if PostgreSQL forgets it in a crash, messages go out again under their ids.
    var statements: [SQL] {
        KillPoint.confirmed.reach()
        var statements: [SQL] = [
            "SELECT set_config('synchronous_commit', 'off', true)",
            "DELETE FROM outbox WHERE id = ANY(\(self.confirmed)::bigint[])",
        ]
        if !self.untaken.isEmpty {
            statements.append(
                """
                UPDATE outbox SET tries = tries + 1, available_at = now()
                    + least(600, 2 * 2 ^ least(tries, 10)) * (0.75 + random() / 2) * interval '1 second'
                WHERE id = ANY(\(self.untaken)::bigint[])
                """
            )
        }
        if !self.hopeless.isEmpty {
            let (ids, errors) = (self.hopeless.map(\.id), self.hopeless.map(\.error))
            statements.append(
                """
                UPDATE outbox SET set_aside_at = now(), set_aside_error = reason.error,
                    available_at = '9999-01-01 00:00:00+00'
                FROM unnest(\(ids)::bigint[], \(errors)::text[]) AS reason (id, error) WHERE outbox.id = reason.id
                """
            )
        }
        return statements
    }
}

extension RabbitMQError {
    /// Whether the messages that were left unanswered may be the reason, rather than the connection.
    ///
    /// So it is when the broker was there and did not answer, or gave a reason that is not its own end (AMQP 0-9-1,
    /// reply code 320).
    var isAboutMessages: Bool {
        if self.code == .deadlineExceeded { return true }
        guard let replyCode = self.replyCode, replyCode != 320 else { return false }
        return ["basic.publish", "connection.close"].contains(self.operation)
    }
}
