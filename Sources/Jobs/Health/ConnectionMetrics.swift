import MetricFamilies
import Metrics
import Synchronization

/// Whether a connection stands, and how often it had to be made again.
final class ConnectionMetrics: Sendable {
    private let isUp: Meter
    private let reconnects: Counter
    private let hasBeenUp = Atomic(false)

    init(_ connection: String) {
        let labels = [("connection", connection)]
        self.isUp = Self.isUp(labels)
        self.reconnects = Self.reconnects(labels)
        self.isUp.set(0)
    }

    func opened() {
        self.isUp.set(1)
        if self.hasBeenUp.exchange(true, ordering: .relaxed) { self.reconnects.increment() }
    }

    func closed() { self.isUp.set(0) }

    private static let isUp = GaugeFamily("gpudev_connection_up", "Whether the connection is open.")
    private static let reconnects = CounterFamily(
        "gpudev_reconnects_total",
        "Connections made after the first one."
    )
}
