#if DEBUG
    import FoundationEssentials
    import Glibc
    import Synchronization
#endif

/// The places between the steps of a job where a test can end the process as a power failure would.
///
/// Only debug builds look: `GPUDEV_KILL_AT=claimed:3` ends the process at the third arrival at `claimed`.
package enum KillPoint: String, Sendable {
    case delivered, claimed, acted, committing, committed, confirmed, draining
    case replayed = "replay-published"

    /// Does not return if this is the place and the time.
    package func reach() {
        #if DEBUG
            guard let order = Self.order, order.point == self else { return }
            let arrivals = Self.arrivals.add(1, ordering: .relaxed).newValue
            if arrivals == order.arrival { kill(getpid(), SIGKILL) }
        #endif
    }

    #if DEBUG
        private static let arrivals = Atomic<Int>(0)
        private static let order: (point: KillPoint, arrival: Int)? = {
            guard let text = ProcessInfo.processInfo.environment["GPUDEV_KILL_AT"] else { return nil }
            let parts = text.split(separator: ":")
            guard let name = parts.first, let point = KillPoint(rawValue: String(name)) else { return nil }
            return (point, parts.dropFirst().first.flatMap { Int($0) } ?? 1)
        }()
    #endif
}
