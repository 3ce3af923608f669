import FoundationEssentials
import Metrics
import RabbitMQ
import Synchronization

/// Counts what becomes of deliveries and jobs.
///
/// Labels have few values: a kind that this worker does not know is `unknown`, and what never was a job is `none`.
struct JobMetrics: Sendable {
    private let kinds: [String: KindMetrics]
    private let unknown = KindMetrics("unknown")
    private let none = KindMetrics("none")
    private let queues: [String: QueueMetrics]
    private let durations = DurationMetrics()

    init(kinds: [String], queues: [String], slots: Int) {
        self.kinds = Dictionary(uniqueKeysWithValues: kinds.map { ($0, KindMetrics($0)) })
        self.queues = Dictionary(uniqueKeysWithValues: queues.map { ($0, QueueMetrics($0)) })
        Meter(label: "gpudev_job_slots").set(slots)
    }

    subscript(_ kind: JobKind) -> KindMetrics { self.kinds[kind.name] ?? self.unknown }

    func received(_ delivery: Delivery) {
        guard let queue = self.queues[delivery.queue] else { return }
        queue.consumed.increment()
        if delivery.redelivered { queue.redelivered.increment() }
    }

    /// Notes how long a job has waited for its first start, as far as its message tells when it was sent.
    func started(_ envelope: Envelope) {
        guard let sent = envelope.message.properties.timestamp else { return }
        self.queues[envelope.queue]?.wait.recordSeconds(max(0, Date().timeIntervalSince1970 - Double(sent)))
    }

    /// A start has a fate, and the ledger has it.
    func ended(_ envelope: Envelope, as fate: String, since start: ContinuousClock.Instant) {
        let kind = self[envelope.kind]
        kind.fates[fate]?.increment()
        self.durations[envelope.queue, kind.name, fate].record(duration: start.duration(to: .now))
    }

    func died(_ envelope: Envelope, of cause: Death.Cause) {
        self[envelope.kind].deaths[cause.rawValue]?.increment()
    }

    /// A message was buried that never was a job.
    func buried(_ cause: Death.Cause) {
        self.none.fates["dead"]?.increment()
        self.none.deaths[cause.rawValue]?.increment()
    }
}

/// What is counted for one kind; the fates and deaths from zero on, so that the first of them is an increase.
struct KindMetrics: Sendable {
    let name: String
    let fates: [String: Counter]
    let deaths: [String: Counter]
    private let running: Meter

    private static let fateNames = ["succeeded", "retry", "snooze", "dead", "cancelled", "interrupted"]

    init(_ kind: String) {
        func counters(_ label: String, _ name: String, _ values: [String]) -> [String: Counter] {
            Dictionary(
                uniqueKeysWithValues: values.map {
                    ($0, Counter(label: label, dimensions: [("kind", kind), (name, $0)]))
                }
            )
        }
        self.name = kind
        self.fates = counters("gpudev_jobs_total", "fate", Self.fateNames)
        self.deaths = counters("gpudev_jobs_dead_total", "reason", Death.Cause.allCases.map(\.rawValue))
        self.running = Meter(label: "gpudev_jobs_running", dimensions: [("kind", kind)])
    }

    func begins() { self.running.increment() }
    func ends() { self.running.decrement() }
    func interrupted() { self.fates["interrupted"]?.increment() }

    /// Counts what is rare, and is told from its first event on.
    func count(_ label: String) { Counter(label: label, dimensions: [("kind", self.name)]).increment() }
}

/// What is counted for one work queue.
private struct QueueMetrics: Sendable {
    let consumed: Counter
    let redelivered: Counter
    let wait: Metrics.Timer

    init(_ queue: String) {
        self.consumed = Counter(
            label: "messaging_client_consumed_messages_total",
            dimensions: messaging("receive", queue)
        )
        self.redelivered = Counter(label: "gpudev_redeliveries_total", dimensions: [("queue", queue)])
        self.wait = Metrics.Timer(label: "gpudev_job_wait_seconds", dimensions: [("queue", queue)])
    }
}

/// How long starts took, by queue, kind and fate; each from its first one on.
private final class DurationMetrics: Sendable {
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

/// The labels by OpenTelemetry's conventions for messaging.
func messaging(_ operation: String, _ destination: String) -> [(String, String)] {
    [
        ("messaging_system", "rabbitmq"), ("messaging_operation_name", operation),
        ("messaging_destination_name", destination),
    ]
}
