import Metrics

/// What a pool tells of itself, under OpenTelemetry's names for pools of database connections.
struct PoolMetrics: Sendable {
    private let idle: Meter
    private let used: Meter
    private let pending: Meter
    private let waitTime: Metrics.Timer
    private let timeouts: Counter

    init(_ pool: String, most: Int) {
        let labels = [("db_client_connection_pool_name", pool)]
        let (count, state) = ("db_client_connection_count", "db_client_connection_state")
        self.idle = Meter(label: count, dimensions: labels + [(state, "idle")])
        self.used = Meter(label: count, dimensions: labels + [(state, "used")])
        self.pending = Meter(label: "db_client_connection_pending_requests", dimensions: labels)
        self.waitTime = Metrics.Timer(label: "db_client_connection_wait_time_seconds", dimensions: labels)
        self.timeouts = Counter(label: "db_client_connection_timeouts_total", dimensions: labels)
        Meter(label: "db_client_connection_max", dimensions: labels).set(most)
        self.tell(idle: 0, used: 0, pending: 0)
    }

    func tell(idle: Int, used: Int, pending: Int) {
        self.idle.set(idle)
        self.used.set(used)
        self.pending.set(pending)
    }

    func waited(_ time: Duration) { self.waitTime.record(duration: time) }

    func timedOut() { self.timeouts.increment() }
}
