import Metrics

/// What is counted for one kind; outcomes and final failures from zero on, so that the first of them is an increase.
struct KindMetrics: Sendable {
    let name: String
    let outcomes: [RecordedOutcome: Counter]
    let failures: [FinalFailure.Cause: Counter]
    private let quarantined: Counter
    private let running: Meter

    init(_ kind: String) {
        func counters<Value: CaseIterable & Hashable & RawRepresentable<String>>(
            _ label: String,
            _ name: String
        ) -> [Value: Counter] {
            Dictionary(
                uniqueKeysWithValues: Value.allCases.map {
                    ($0, Counter(label: label, dimensions: [("kind", kind), (name, $0.rawValue)]))
                }
            )
        }
        self.name = kind
        self.outcomes = counters("gpudev_jobs_total", "fate")
        self.failures = counters("gpudev_jobs_dead_total", "reason")
        self.quarantined = Counter(label: "gpudev_starts_quarantined_total", dimensions: [("kind", kind)])
        self.running = Meter(label: "gpudev_jobs_running", dimensions: [("kind", kind)])
    }

    func begins() { self.running.increment() }
    func ends() { self.running.decrement() }
    func interrupted() { self.outcomes[.interrupted]?.increment() }
    func isolated() { self.quarantined.increment() }
    func cancelled() { self.outcomes[.cancelled]?.increment() }

    /// Counts what is rare, and is told from its first event on.
    func count(_ label: String) { Counter(label: label, dimensions: [("kind", self.name)]).increment() }
}
