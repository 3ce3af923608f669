import Metrics

extension WorkerHealth {
    /// Tells of a condition as a gauge too.
    static func tell(_ condition: Condition, isMet: Bool) {
        Meter(label: "gpudev_ready", dimensions: [("condition", condition.rawValue)]).set(isMet ? 1 : 0)
    }
}
