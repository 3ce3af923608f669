#if DEBUG
    import FoundationEssentials
#endif

/// What a test can have a job do to its worker, as a handler with a fault in it would.
///
/// Only debug builds look: `GPUDEV_MISBEHAVE=trap:<job id>,spin:<job id>`.
enum InjectedFault: String, Sendable {
    /// Ends the process as a failed precondition does.
    case trap

    /// Keeps its thread for ever.
    case spin

    /// Takes memory until there is none.
    case exhaust

    /// Does not return if `job` is one that misbehaves.
    static func strike(_ job: JobID) {
        #if DEBUG
            switch Self.orders[job] {
            case .trap: preconditionFailure("as the test wants it")
            case .spin: while true {}
            case .exhaust: Self.takeAllMemory()
            case nil: return
            }
        #endif
    }

    #if DEBUG
        private static func takeAllMemory() -> Never {
            var taken: [[UInt8]] = []
            while true { taken.append([UInt8](repeating: 1, count: 64 << 20)) }
        }

        private static let orders: [JobID: InjectedFault] = {
            let text = ProcessInfo.processInfo.environment["GPUDEV_MISBEHAVE"] ?? ""
            let pairs = text.split(separator: ",").compactMap { order -> (JobID, InjectedFault)? in
                let parts = order.split(separator: ":").map(String.init)
                guard parts.count == 2, let what = InjectedFault(rawValue: parts[0]),
                    let job = JobID(parts[1])
                else { return nil }
                return (job, what)
            }
            return Dictionary(pairs) { first, _ in first }
        }()
    #endif
}
