import MetricFamilies
import Metrics
import RabbitMQ

/// Counts what the relay publishes, by what the broker answered.
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
                let counters = Self.outcomes.map { ($0, Self.sent(labels + [("outcome", $0)])) }
                return (
                    name,
                    Exchange(
                        outcomes: Dictionary(uniqueKeysWithValues: counters),
                        duration: Self.durations(labels)
                    )
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

extension RelayMetrics {
    private static let sent = CounterFamily(
        "messaging_client_sent_messages_total",
        "Messages that were published, by what the broker answered."
    )
    private static let durations = HistogramFamily(
        "messaging_client_operation_duration_seconds",
        seconds: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 6],
        "From publishing a batch of messages until all of it was confirmed."
    )
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
