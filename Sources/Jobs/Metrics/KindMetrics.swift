import MetricFamilies
import Metrics

/// What is counted for one kind; outcomes and final failures from zero on, so that the first of them is an increase.
final class KindMetrics: Sendable {
    let name: String
    let outcomes: [RecordedOutcome: Counter]
    let failures: [FinalFailure.Cause: Counter]
    let durations: DurationMetrics
    private let quarantined: Counter
    private let running: Meter

    init(_ kind: String) {
        func counters<Value: CaseIterable & Hashable & RawRepresentable<String>>(
            _ family: CounterFamily,
            _ label: String
        ) -> [Value: Counter] {
            Dictionary(
                uniqueKeysWithValues: Value.allCases.map {
                    ($0, family([("kind", kind), (label, $0.rawValue)]))
                }
            )
        }
        self.name = kind
        self.outcomes = counters(Self.outcomes, "fate")
        self.failures = counters(Self.failures, "reason")
        self.durations = DurationMetrics(kind)
        self.quarantined = Self.quarantined([("kind", kind)])
        self.running = Self.running([("kind", kind)])
    }

    func begins() { self.running.increment() }
    func ends() { self.running.decrement() }
    func interrupted() { self.outcomes[.interrupted]?.increment() }
    func isolated() { self.quarantined.increment() }
    func cancelled() { self.outcomes[.cancelled]?.increment() }

    // These two are rare, and exposed from the first event on.
    func deferred() { Self.deferrals([("kind", self.name)]).increment() }
    func duplicated() { Self.duplicates([("kind", self.name)]).increment() }
}

extension KindMetrics {
    private static let outcomes = CounterFamily(
        "gpudev_jobs_total",
        "Attempts of jobs by outcome, counted once the ledger has it."
    )
    private static let failures = CounterFamily("gpudev_jobs_dead_total", "Jobs that are dead, by reason.")
    private static let quarantined = CounterFamily(
        "gpudev_starts_quarantined_total",
        """
        Attempts of a job of which two attempts before had no outcome: it runs alone, as it may kill its \
        worker.
        """
    )
    private static let running = GaugeFamily("gpudev_jobs_running", "Attempts that run now.")
    private static let deferrals = CounterFamily(
        "gpudev_jobs_busy_total",
        """
        Jobs deferred because another attempt holds the job, or the disk or reservation that it needs \
        alone.
        """
    )
    private static let duplicates = CounterFamily(
        "gpudev_duplicates_total",
        "Messages of jobs that had ended before, dropped."
    )
}
