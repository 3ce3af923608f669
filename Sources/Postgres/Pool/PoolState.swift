/// The decisions of a pool: who gets which connection, and when another one is opened.
///
/// Whoever waits is served first come, first served: a connection that comes back goes to the oldest waiter, never
/// to a newcomer.
struct PoolState<Member: AnyObject> {
    enum Admission {
        case lease(Member)
        case wait
        case refuse
    }

    enum Placement {
        case lease(Member, waiter: Int)
        case keep
        case close(Member)
    }

    private let limits: ClosedRange<Int>
    /// Connections nobody uses, the one used last at the end.
    private(set) var idle: [Member] = []
    /// Connections in use.
    private(set) var leased = 0
    /// Connections being made.
    private(set) var opening = 0
    /// Who waits, oldest first.
    private(set) var waiters: [Int] = []
    private(set) var isClosed = false
    /// How many attempts to connect have failed since the last that did not.
    private(set) var failures = 0
    private var isBackingOff = false

    init(limits: ClosedRange<Int>) {
        self.limits = limits
    }

    private var total: Int { self.idle.count + self.leased + self.opening }

    /// Whether another connection should be opened now: one for each waiter that none is being opened for, within the
    /// limit; but one at a time, and not at once, while connecting fails.
    var wantsOpening: Bool {
        guard !self.isClosed, !self.isBackingOff, self.total < self.limits.upperBound else { return false }
        return self.opening < (self.failures > 0 ? min(1, self.waiters.count) : self.waiters.count)
    }

    /// How many idle connections may go.
    var surplus: Int {
        max(0, min(self.idle.count, self.total - self.limits.lowerBound))
    }

    mutating func admit(_ waiter: Int) -> Admission {
        guard !self.isClosed else { return .refuse }
        if let member = self.idle.popLast() {
            self.leased += 1
            return .lease(member)
        }
        self.waiters.append(waiter)
        return .wait
    }

    /// A waiter does not wait any more.
    mutating func remove(_ waiter: Int) {
        self.waiters.removeAll { $0 == waiter }
    }

    mutating func startOpening() {
        self.opening += 1
    }

    mutating func opened(_ member: Member) -> Placement {
        self.opening -= 1
        self.failures = 0
        return self.place(member)
    }

    mutating func failedToOpen() {
        self.opening -= 1
        self.failures += 1
        self.isBackingOff = true
    }

    mutating func endBackoff() {
        self.isBackingOff = false
    }

    /// A connection comes back from its user; one that is not usable is gone, or about to be closed.
    mutating func giveBack(_ member: Member, isUsable: Bool) -> Placement {
        self.leased -= 1
        return isUsable ? self.place(member) : .close(member)
    }

    /// A connection ended by itself; those in use are dealt with when they come back.
    mutating func lost(_ member: Member) {
        self.idle.removeAll { $0 === member }
    }

    /// Takes out idle connections that may go, least recently used first.
    mutating func trim(_ count: Int) -> [Member] {
        let trimmed = Array(self.idle.prefix(min(count, self.surplus)))
        self.idle.removeFirst(trimmed.count)
        return trimmed
    }

    /// Nobody gets anything from now on.
    mutating func close() -> (idle: [Member], waiters: [Int]) {
        self.isClosed = true
        defer {
            self.idle = []
            self.waiters = []
        }
        return (self.idle, self.waiters)
    }

    private mutating func place(_ member: Member) -> Placement {
        guard !self.isClosed else { return .close(member) }
        guard self.waiters.isEmpty else {
            self.leased += 1
            return .lease(member, waiter: self.waiters.removeFirst())
        }
        self.idle.append(member)
        return .keep
    }
}
