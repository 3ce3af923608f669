import Metrics

/// Whether a connection stands, and how often it had to be made again.
struct ConnectionMetrics: Sendable {
    private let isUp: Meter
    private let reconnects: Counter

    init(_ connection: String) {
        self.isUp = Meter(label: "gpudev_connection_up", dimensions: [("connection", connection)])
        self.reconnects = Counter(label: "gpudev_reconnects_total", dimensions: [("connection", connection)])
        self.isUp.set(0)
    }

    func opened(isFirst: Bool) {
        self.isUp.set(1)
        if !isFirst { self.reconnects.increment() }
    }

    func closed() { self.isUp.set(0) }
}
