import Metrics

/// What is counted for one kind; the fates and deaths from zero on, so that the first of them is an increase.
struct KindMetrics: Sendable {
    let name: String
    let fates: [String: Counter]
    let deaths: [String: Counter]
    private let quarantined: Counter
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
        self.deaths = counters(
            "gpudev_jobs_dead_total",
            "reason",
            FinalFailure.Cause.allCases.map(\.rawValue)
        )
        self.quarantined = Counter(label: "gpudev_starts_quarantined_total", dimensions: [("kind", kind)])
        self.running = Meter(label: "gpudev_jobs_running", dimensions: [("kind", kind)])
    }

    func begins() { self.running.increment() }
    func ends() { self.running.decrement() }
    func interrupted() { self.fates["interrupted"]?.increment() }
    func isolated() { self.quarantined.increment() }
    func cancelled() { self.fates["cancelled"]?.increment() }

    /// Counts what is rare, and is told from its first event on.
    func count(_ label: String) { Counter(label: label, dimensions: [("kind", self.name)]).increment() }
}
