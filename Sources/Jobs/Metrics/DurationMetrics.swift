import MetricFamilies
import Metrics
import Synchronization

/// How long attempts took, by queue, kind and outcome; each from its first one on.
final class DurationMetrics: Sendable {
    private struct Key: Hashable {
        let queue, kind, fate: String
    }

    private let timers = Mutex<[Key: Metrics.Timer]>([:])

    subscript(_ queue: String, _ kind: String, _ fate: String) -> Metrics.Timer {
        self.timers.withLock { timers in
            let key = Key(queue: queue, kind: kind, fate: fate)
            if let known = timers[key] { return known }
            let timer = Self.durations(messaging("process", queue) + [("kind", kind), ("fate", fate)])
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
