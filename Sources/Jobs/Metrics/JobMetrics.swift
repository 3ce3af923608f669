import FoundationEssentials
import MetricFamilies
import Metrics
import RabbitMQ

/// Counts what becomes of deliveries and jobs.
///
/// Labels have few values: a kind that this worker does not know is `unknown`, and what never was a job is `none`.
struct JobMetrics: Sendable {
    private let kinds: [String: KindMetrics]
    private let unknown = KindMetrics("unknown")
    private let none = KindMetrics("none")
    private let queues: [String: QueueMetrics]

    init(kinds: [String], queues: [String], slots: Int) {
        self.kinds = Dictionary(uniqueKeysWithValues: kinds.map { ($0, KindMetrics($0)) })
        self.queues = Dictionary(uniqueKeysWithValues: queues.map { ($0, QueueMetrics($0)) })
        Self.slots().set(slots)
    }

    private static let slots = GaugeFamily(
        "gpudev_job_slots",
        "How many attempts may run at once (WORKER_CONCURRENCY)."
    )

    subscript(_ kind: JobKind) -> KindMetrics { self.kinds[kind.name] ?? self.unknown }

    /// Those of a work queue.
    func queue(_ name: String) -> QueueMetrics? { self.queues[name] }

    /// Notes how long a job has waited for its first attempt, as far as its message says when it was sent.
    func started(_ envelope: Envelope) {
        guard let sent = envelope.message.properties.timestamp else { return }
        self.queues[envelope.queue]?.wait.recordSeconds(max(0, Date().timeIntervalSince1970 - Double(sent)))
    }

    /// An attempt has an outcome, and the ledger has it.
    func ended(_ envelope: Envelope, as outcome: RecordedOutcome, since start: ContinuousClock.Instant) {
        let kind = self[envelope.kind]
        kind.outcomes[outcome]?.increment()
        kind.durations[envelope.queue, outcome].record(duration: start.duration(to: .now))
    }

    func failed(_ envelope: Envelope, because cause: FinalFailure.Cause) {
        self[envelope.kind].failures[cause]?.increment()
    }

    /// A message was dead-lettered that never was a job.
    func deadLettered(_ cause: FinalFailure.Cause) {
        self.none.outcomes[.dead]?.increment()
        self.none.failures[cause]?.increment()
    }
}
