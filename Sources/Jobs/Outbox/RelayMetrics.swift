import Metrics
import RabbitMQ

/// Counts what the relay publishes, by what the broker said.
struct RelayMetrics: Sendable {
    private let exchanges: [String: Exchange]

    private struct Exchange: Sendable {
        let outcomes: [String: Counter]
        let duration: Metrics.Timer
    }

    private static let outcomes = ["confirmed", "returned", "refused", "unsendable", "unanswered"]

    init(_ topology: Topology) {
        let names = [topology.jobsExchange, topology.eventsExchange, topology.deadExchange]
        self.exchanges = Dictionary(
            uniqueKeysWithValues: names.map { name in
                let labels = messaging("publish", name)
                let counters = Self.outcomes.map { outcome in
                    let label = "messaging_client_sent_messages_total"
                    return (outcome, Counter(label: label, dimensions: labels + [("outcome", outcome)]))
                }
                let duration = Metrics.Timer(
                    label: "messaging_client_operation_duration_seconds",
                    dimensions: labels
                )
                return (
                    name, Exchange(outcomes: Dictionary(uniqueKeysWithValues: counters), duration: duration)
                )
            }
        )
    }

    /// Publishes, and counts what became of each message.
    func publish(
        _ messages: [OutgoingMessage],
        over connection: RabbitMQConnection,
        within timeout: Duration,
        silence: Duration,
    ) async -> [PublishOutcome] {
        let start = ContinuousClock.now
        let outcomes = await connection.outcomes(of: messages, within: timeout, silence: silence)
        let duration = start.duration(to: .now)
        for (message, outcome) in zip(messages, outcomes) {
            let exchange = self.exchanges[message.exchange]
            exchange?.outcomes[outcome.label]?.increment()
            if outcome.isConfirmed { exchange?.duration.record(duration: duration) }
        }
        return outcomes
    }
}

extension PublishOutcome {
    fileprivate var label: String {
        switch self {
        case .confirmed: "confirmed"
        case .returned: "returned"
        case .refused: "refused"
        case .unsendable: "unsendable"
        case .unanswered: "unanswered"
        }
    }
}
