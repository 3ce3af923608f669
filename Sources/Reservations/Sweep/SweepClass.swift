import MetricFamilies
import Metrics

/// What a sweep ends or removes, by its reason; each class has a limit of its own.
enum SweepClass: String, Sendable, CaseIterable {
    /// Reservations whose noted time is up.
    case expired
    /// Reservations that have waited, or were prepared, for too long.
    case overdue
    /// Active reservations whose pods are gone.
    case withoutPod = "without-pod"
    /// Target groups whose reservations are over.
    case route

    /// What sweeps have left to later ones.
    var deferred: Counter {
        Self.deferrals([("class", self.rawValue)])
    }

    private static let deferrals = CounterFamily(
        "gpudev_sweep_deferred_total",
        "What sweeps of reservations left to later runs, counted once for each run."
    )

    /// Lets every count begin at zero, so that the first one is seen as a rise.
    static func beginCounting() {
        for each in Self.allCases { each.deferred.increment(by: 0) }
    }
}
