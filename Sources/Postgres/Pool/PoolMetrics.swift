import MetricFamilies
import Metrics

/// The metrics of a pool, under OpenTelemetry's names for pools of database connections.
struct PoolMetrics: Sendable {
    private let idle: Meter
    private let used: Meter
    private let pending: Meter
    private let waitTime: Metrics.Timer
    private let timeouts: Counter

    init(_ pool: String, most: Int) {
        let labels = [("db_client_connection_pool_name", pool)]
        let state = "db_client_connection_state"
        self.idle = Self.connections(labels + [(state, "idle")])
        self.used = Self.connections(labels + [(state, "used")])
        self.pending = Self.pendingRequests(labels)
        self.waitTime = Self.waitTimes(labels)
        self.timeouts = Self.requestTimeouts(labels)
        Self.maximum(labels).set(most)
        self.report(idle: 0, used: 0, pending: 0)
    }

    func report(idle: Int, used: Int, pending: Int) {
        self.idle.set(idle)
        self.used.set(used)
        self.pending.set(pending)
    }

    func waited(_ time: Duration) { self.waitTime.record(duration: time) }

    func timedOut() { self.timeouts.increment() }
}

extension PoolMetrics {
    private static let connections = GaugeFamily(
        "db_client_connection_count",
        "Connections to PostgreSQL in a pool."
    )
    private static let maximum = GaugeFamily("db_client_connection_max", "The most that the pool may have.")
    private static let pendingRequests = GaugeFamily(
        "db_client_connection_pending_requests",
        "Callers that wait for a connection now."
    )
    private static let waitTimes = HistogramFamily(
        "db_client_connection_wait_time_seconds",
        seconds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
        "How long callers that had to wait for a connection waited until they had one."
    )
    private static let requestTimeouts = CounterFamily(
        "db_client_connection_timeouts_total",
        "Callers that got no connection in time."
    )
}
