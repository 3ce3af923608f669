/// What became of one published message.
package enum PublishOutcome: Sendable {
    /// The broker is answerable for it now.
    case confirmed
    /// No queue would get it; the broker has kept nothing.
    case returned(code: UInt16, text: String)
    /// The broker could not take it (a negative acknowledgement).
    case refused
    /// It was never sent, since AMQP cannot carry it; no other attempt would do better.
    case unsendable(RabbitMQError)
    /// The broker did not say in time; it may have taken it or not.
    case unanswered(RabbitMQError)

    /// Whether the broker is answerable for the message now.
    package var isConfirmed: Bool {
        guard case .confirmed = self else { return false }
        return true
    }
}
