import MetricFamilies
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
        let labels = [("queue", queue)]
        self.consumed = Self.consumed(messaging("receive", queue))
        self.redelivered = Self.redelivered(labels)
        self.wait = Self.waits(labels)
        self.slots = Self.slots(labels)
        self.taken = Self.taken(labels)
        self.waiting = Self.waiting(labels)
    }
}

extension QueueMetrics {
    private static let consumed = CounterFamily(
        "messaging_client_consumed_messages_total",
        "Messages that the queues delivered."
    )
    private static let redelivered = CounterFamily(
        "gpudev_redeliveries_total",
        "Messages among them that had been delivered before."
    )
    private static let waits = HistogramFamily(
        "gpudev_job_wait_seconds",
        seconds: [1, 2, 5, 15, 30, 60, 120, 300, 900, 3600],
        """
        How long a job waited for its first attempt, from the timestamp of its message, which has whole \
        seconds, until a slot took it.
        """
    )
    private static let slots = GaugeFamily(
        "gpudev_lane_slots",
        "How many slots the jobs of a queue can have at most."
    )
    private static let taken = GaugeFamily(
        "gpudev_lane_slots_taken",
        "How many slots the jobs of a queue have now."
    )
    private static let waiting = GaugeFamily(
        "gpudev_lane_waiting",
        "Deliveries of a queue that wait in the worker for a slot."
    )
}
