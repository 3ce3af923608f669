import Metrics
import Synchronization

/// Whether a connection stands, and how often it had to be made again.
final class ConnectionMetrics: Sendable {
    private let isUp: Meter
    private let reconnects: Counter
    private let hasBeenUp = Atomic(false)

    init(_ connection: String) {
        self.isUp = Meter(label: "gpudev_connection_up", dimensions: [("connection", connection)])
        self.reconnects = Counter(label: "gpudev_reconnects_total", dimensions: [("connection", connection)])
        self.isUp.set(0)
    }

    func opened() {
        self.isUp.set(1)
        if self.hasBeenUp.exchange(true, ordering: .relaxed) { self.reconnects.increment() }
    }

    func closed() { self.isUp.set(0) }
}
