/// What a worker holds of its queues, and which of it may start next.
///
/// Each queue is a lane. A delivery of a job waits until no other of the same job runs here, then until its kind is
/// below its limit, then until its lane may take a slot; only then it takes one.
struct Lanes<Item: Sendable>: Sendable {
    /// By which deliveries are known that say the same over the same connection.
    ///
    /// While one of them has not started the others are superfluous; while one runs, one more is kept.
    struct Copy: Equatable, Sendable {
        let job: JobID
        let kind: JobKind
        let turn: Int
        let replayCount: Int
        let body: [UInt8]
        /// The number of the connection.
        ///
        /// A delivery whose connection is lost comes again, and what comes then is no copy but all that is left of the
        /// message.
        let connection: UInt64
    }

    /// One delivery that is not settled.
    struct Entry: Sendable {
        let item: Item
        let lane: Int
        /// Nil for what never becomes a job.
        let copy: Copy?
    }

    /// What becomes of a delivery that comes in.
    enum Arrival {
        /// It has its place and starts when `next` says so.
        case held
        /// Another that has not started says the same.
        case superfluous
        /// So many of its limited kind wait already that others of the lane would find no room.
        case crowded
    }

    private struct HeldJob: Sendable {
        /// Which of its deliveries runs, or will be the next that does.
        var current: Copy
        var hasStarted = false
        /// Those that wait for it.
        var waiting: [Entry] = []
    }

    private struct LimitedKind: Sendable {
        let limit: Int
        /// How many run, or wait for nothing but a slot.
        var admitted = 0
        var waiting: [Entry] = []
    }

    private(set) var shares: SlotShares
    /// How many deliveries of each lane have not started.
    private(set) var waiting: [Int]
    private var ready: [[Entry]]
    private var jobs: [JobID: HeldJob] = [:]
    private var kinds: [JobKind: LimitedKind]
    /// The lane that is looked at first, so that each has its turn.
    private var first = 0

    /// - Parameter limits: How many jobs of a kind may run at once, where that is limited.
    init(slots: Int, lanes: Int, limits: [JobKind: Int] = [:]) {
        self.shares = SlotShares(slots: slots, lanes: lanes)
        self.waiting = Array(repeating: 0, count: lanes)
        self.ready = Array(repeating: [], count: lanes)
        self.kinds = limits.mapValues { LimitedKind(limit: $0) }
    }

    /// Takes in a delivery; one that is not held is the caller's to settle.
    mutating func arrive(_ entry: Entry) -> Arrival {
        guard let copy = entry.copy else {
            self.waiting[entry.lane] += 1
            self.ready[entry.lane].append(entry)
            return .held
        }
        if let job = self.jobs[copy.job] {
            // One that runs may have been put back into the queue by its own attempt, to wait for what it needs alone: what
            // comes then is no copy but all that is left of the message.
            let isCurrent = job.current == copy && !job.hasStarted
            guard !isCurrent, !job.waiting.contains(where: { $0.copy == copy }) else {
                return .superfluous
            }
            self.waiting[entry.lane] += 1
            self.jobs[copy.job]?.waiting.append(entry)
            return .held
        }
        guard !self.isCrowded(entry.lane, by: copy.kind) else { return .crowded }
        self.jobs[copy.job] = HeldJob(current: copy)
        self.waiting[entry.lane] += 1
        self.admit(entry)
        return .held
    }

    /// The next delivery that may start, with the slot that it takes; nil if none may.
    mutating func next() -> Entry? {
        for offset in self.ready.indices {
            let lane = (self.first + offset) % self.ready.count
            guard !self.ready[lane].isEmpty, self.shares.mayTake(lane) else { continue }
            self.shares.take(lane)
            self.first = (lane + 1) % self.ready.count
            self.waiting[lane] -= 1
            let next = self.ready[lane].removeFirst()
            if let job = next.copy?.job { self.jobs[job]?.hasStarted = true }
            return next
        }
        return nil
    }

    /// Frees the slot of a delivery that had started, and lets go on what waited for it.
    mutating func end(_ entry: Entry) {
        self.shares.free(entry.lane)
        self.release(entry)
    }

    /// Takes out what has not started and is meant; the caller settles it.
    mutating func withdraw(where isMeant: (Item) -> Bool) -> [Item] {
        var withdrawn: [Entry] = []
        for job in Array(self.jobs.keys) { withdrawn += self.jobs[job]?.waiting.extract(isMeant) ?? [] }
        for kind in Array(self.kinds.keys) {
            for entry in self.kinds[kind]?.waiting.extract(isMeant) ?? [] {
                withdrawn.append(entry)
                self.releaseJob(of: entry)
            }
        }
        for lane in self.ready.indices {
            for entry in self.ready[lane].extract(isMeant) {
                withdrawn.append(entry)
                self.release(entry)
            }
        }
        for entry in withdrawn { self.waiting[entry.lane] -= 1 }
        return withdrawn.map(\.item)
    }
}

extension Lanes {
    /// Whether those of limited kinds that wait leave half of what the lane may have to the others.
    private func isCrowded(_ lane: Int, by kind: JobKind) -> Bool {
        guard let limited = self.kinds[kind], limited.admitted >= limited.limit else { return false }
        let waiting = self.kinds.values.reduce(0) { $0 + $1.waiting.count { $0.lane == lane } }
        return waiting >= max(1, self.shares.most / 2)
    }

    /// Lets a delivery go on whose job is free.
    private mutating func admit(_ entry: Entry) {
        if let kind = entry.copy?.kind, let limited = self.kinds[kind] {
            guard limited.admitted < limited.limit else {
                self.kinds[kind]?.waiting.append(entry)
                return
            }
            self.kinds[kind]?.admitted += 1
        }
        self.ready[entry.lane].append(entry)
    }

    private mutating func release(_ entry: Entry) {
        self.releaseKind(of: entry)
        self.releaseJob(of: entry)
    }

    private mutating func releaseKind(of entry: Entry) {
        guard let kind = entry.copy?.kind, let limited = self.kinds[kind] else { return }
        if limited.waiting.isEmpty {
            self.kinds[kind]?.admitted -= 1
        } else if let next = self.kinds[kind]?.waiting.removeFirst() {
            self.ready[next.lane].append(next)
        }
    }

    private mutating func releaseJob(of entry: Entry) {
        guard let id = entry.copy?.job, var job = self.jobs.removeValue(forKey: id), !job.waiting.isEmpty
        else { return }
        let next = job.waiting.removeFirst()
        guard let copy = next.copy else { return }
        job.current = copy
        job.hasStarted = false
        self.jobs[id] = job
        self.admit(next)
    }
}

extension Array {
    /// Removes the elements of entries that are meant, and returns them in their order.
    fileprivate mutating func extract<Item>(_ isMeant: (Item) -> Bool) -> Self
    where Element == Lanes<Item>.Entry {
        let extracted = self.filter { isMeant($0.item) }
        if !extracted.isEmpty { self.removeAll { isMeant($0.item) } }
        return extracted
    }
}
