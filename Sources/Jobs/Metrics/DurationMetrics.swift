import Metrics
import Synchronization

/// How long starts took, by queue, kind and fate; each from its first one on.
final class DurationMetrics: Sendable {
    private struct Key: Hashable {
        let queue, kind, fate: String
    }

    private let timers = Mutex<[Key: Metrics.Timer]>([:])

    subscript(_ queue: String, _ kind: String, _ fate: String) -> Metrics.Timer {
        self.timers.withLock { timers in
            let key = Key(queue: queue, kind: kind, fate: fate)
            if let known = timers[key] { return known }
            let timer = Metrics.Timer(
                label: "messaging_process_duration_seconds",
                dimensions: messaging("process", queue) + [("kind", kind), ("fate", fate)]
            )
            timers[key] = timer
            return timer
        }
    }
}
