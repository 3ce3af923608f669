import FoundationEssentials

/// When those who wait for machines of one type will get them, if all goes as booked: a pure reckoning.
///
/// The oldest is served first. A request for more than one machine has takes whole machines; any other needs one machine
/// with enough.
struct QueueForecast: Sendable {
    /// GPUs of one machine that a reservation has until its end.
    struct Holding: Sendable {
        let machine: String
        let gpus: Int
        let end: Date

        init(machine: String, gpus: Int, end: Date) {
            self.machine = machine
            self.gpus = gpus
            self.end = end
        }
    }

    /// Somebody who waits.
    struct Request: Sendable {
        let gpus: Int
        /// In seconds; nil for nobody knows how long.
        let duration: TimeInterval?

        init(gpus: Int, duration: TimeInterval?) {
            self.gpus = gpus
            self.duration = duration
        }
    }

    /// How long a reservation that should have ended may still take.
    static let grace: TimeInterval = 120

    private let now: Date
    private let gpusPerMachine: Int
    private var free: [String: Int]
    private var holdings: [Holding]
    private var clock: Date

    /// - Parameters:
    ///   - machines: Those of the type.
    ///   - holdings: What is held on them; what is held elsewhere does not count.
    ///   - gpusPerMachine: GPUs of one whole machine.
    ///   - now: The time.
    init(machines: [Machine], holdings: [Holding], gpusPerMachine: Int, now: Date) {
        self.free = Dictionary(machines.filter(\.isSchedulable).map { ($0.name, $0.available) }) { $1 }
        self.gpusPerMachine = max(gpusPerMachine, 1)
        self.now = now
        self.clock = now
        let free = self.free
        self.holdings = holdings.filter { free[$0.machine] != nil }.map { holding in
            let end = max(holding.end, now.addingTimeInterval(Self.grace))
            return Holding(machine: holding.machine, gpus: holding.gpus, end: end)
        }
    }

    /// Seconds from now until the next request is served, and it has its machines until its end.
    ///
    /// Nil if the end of everything that is held is not enough; nobody waits behind such a request.
    mutating func serve(_ request: Request) -> TimeInterval? {
        let before = self
        while true {
            if let share = self.share(for: request.gpus) {
                let end = request.duration.map { self.clock.addingTimeInterval($0) }
                for (machine, gpus) in share {
                    self.free[machine, default: 0] -= gpus
                    if let end { self.holdings.append(Holding(machine: machine, gpus: gpus, end: end)) }
                }
                return self.clock.timeIntervalSince(self.now)
            }
            guard let next = self.holdings.indices.min(by: { self.holdings[$0].end < self.holdings[$1].end })
            else {
                self = before
                return nil
            }
            let ended = self.holdings.remove(at: next)
            self.free[ended.machine, default: 0] += ended.gpus
            self.clock = max(self.clock, ended.end)
        }
    }

    /// Which machines give how much: the fullest that has enough, or as many whole ones as it takes.
    private func share(for gpus: Int) -> [(machine: String, gpus: Int)]? {
        let machines = self.free.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
        if gpus <= self.gpusPerMachine {
            return machines.first { $0.value >= gpus }.map { [($0.key, gpus)] }
        }
        let count = (gpus + self.gpusPerMachine - 1) / self.gpusPerMachine
        let whole = machines.filter { $0.value >= self.gpusPerMachine }.prefix(count)
        return whole.count == count ? whole.map { ($0.key, self.gpusPerMachine) } : nil
    }
}
