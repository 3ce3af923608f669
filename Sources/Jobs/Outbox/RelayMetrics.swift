import MetricFamilies
import Metrics
import RabbitMQ

/// Counts what the relay publishes, by what the broker answered.
struct RelayMetrics: Sendable {
    private let exchanges: [Destination: Exchange]

    init(_ topology: Topology) {
        self.exchanges = Dictionary(
            uniqueKeysWithValues: Destination.allCases.map { ($0, Exchange(named: topology.exchange($0))) }
        )
    }

    /// Counts what became of messages that were published together.
    func published(_ messages: [OutboxMessage], _ outcomes: [PublishOutcome], in duration: Duration) {
        for (message, outcome) in zip(messages, outcomes) {
            guard let exchange = self.exchanges[message.destination] else { continue }
            exchange.counter(of: outcome).increment()
            if outcome.isConfirmed { exchange.duration.record(duration: duration) }
        }
    }

    private struct Exchange: Sendable {
        let confirmed, returned, refused, unsendable, unanswered: Counter
        let duration: Metrics.Timer

        init(named name: String) {
            let labels = messaging("publish", name)
            func counter(_ outcome: String) -> Counter { RelayMetrics.sent(labels + [("outcome", outcome)]) }
            self.confirmed = counter("confirmed")
            self.returned = counter("returned")
            self.refused = counter("refused")
            self.unsendable = counter("unsendable")
            self.unanswered = counter("unanswered")
            self.duration = RelayMetrics.durations(labels)
        }

        func counter(of outcome: PublishOutcome) -> Counter {
            switch outcome {
            case .confirmed: self.confirmed
            case .returned: self.returned
            case .refused: self.refused
            case .unsendable: self.unsendable
            case .unanswered: self.unanswered
            }
        }
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
