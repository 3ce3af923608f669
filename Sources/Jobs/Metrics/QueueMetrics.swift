import Metrics

/// What is counted for one work queue.
struct QueueMetrics: Sendable {
    let consumed: Counter
    let redelivered: Counter
    let wait: Metrics.Timer
    let slots: Meter
    let taken: Meter
    let waiting: Meter

    init(_ queue: String) {
        self.consumed = Counter(
            label: "messaging_client_consumed_messages_total",
            dimensions: messaging("receive", queue)
        )
        self.redelivered = Counter(label: "gpudev_redeliveries_total", dimensions: [("queue", queue)])
        self.wait = Metrics.Timer(label: "gpudev_job_wait_seconds", dimensions: [("queue", queue)])
        self.slots = Meter(label: "gpudev_lane_slots", dimensions: [("queue", queue)])
        self.taken = Meter(label: "gpudev_lane_slots_taken", dimensions: [("queue", queue)])
        self.waiting = Meter(label: "gpudev_lane_waiting", dimensions: [("queue", queue)])
    }
}
