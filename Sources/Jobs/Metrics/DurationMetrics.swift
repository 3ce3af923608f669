import MetricFamilies
import Metrics
import Synchronization

/// How long attempts of one kind took, by queue and outcome; each from its first one on.
final class DurationMetrics: Sendable {
    private struct Key: Hashable {
        let queue: String
        let outcome: RecordedOutcome
    }

    private let kind: String
    private let timers = Mutex<[Key: Metrics.Timer]>([:])

    init(_ kind: String) { self.kind = kind }

    subscript(_ queue: String, _ outcome: RecordedOutcome) -> Metrics.Timer {
        self.timers.withLock { timers in
            let key = Key(queue: queue, outcome: outcome)
            if let known = timers[key] { return known }
            let labels = [("kind", self.kind), ("fate", outcome.rawValue)]
            let timer = Self.durations(messaging("process", queue) + labels)
            timers[key] = timer
            return timer
        }
    }

    private static let durations = HistogramFamily(
        "messaging_process_duration_seconds",
        seconds: [0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 240],
        """
        How long an attempt ran, from its claim (from its delivery where a kind only writes rows) until \
        its outcome was committed.
        """
    )
}
