import MetricFamilies
import Metrics

/// What is counted for one work queue.
final class QueueMetrics: Sendable {
    let wait: Metrics.Timer
    private let consumed: Counter
    private let redelivered: Counter
    private let slots: Meter
    private let taken: Meter
    private let waiting: Meter

    init(_ queue: String) {
        let labels = [("queue", queue)]
        self.consumed = Self.consumed(messaging("receive", queue))
        self.redelivered = Self.redelivered(labels)
        self.wait = Self.waits(labels)
        self.slots = Self.slots(labels)
        self.taken = Self.taken(labels)
        self.waiting = Self.waiting(labels)
    }

    func received(again isRedelivered: Bool) {
        self.consumed.increment()
        if isRedelivered { self.redelivered.increment() }
    }

    /// How many slots the queue's lane can have at most.
    func report(slots: Int) { self.slots.set(slots) }

    /// How many slots the lane has now, and how many of its deliveries wait.
    func report(taken: Int, waiting: Int) {
        self.taken.set(taken)
        self.waiting.set(waiting)
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
