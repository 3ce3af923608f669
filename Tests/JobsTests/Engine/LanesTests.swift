import Fuzzing
import Testing

@testable import Jobs

@Suite struct `The lanes` {
    @Test func `need one of several copies, and only over one connection`() {
        let lane = Lane(slots: 8)
        let job = JobID()
        #expect(lane.arrive(1, job) == .held)
        #expect(lane.arrive(2, job) == .superfluous)
        #expect(lane.start() == [1])
        // It may have put itself back into the queue to wait; of what comes while it runs, one is kept.
        #expect(lane.arrive(20, job) == .held)
        #expect(lane.arrive(21, job) == .superfluous)
        // What comes again after the connection was lost is the message itself; a copy of that is superfluous again.
        #expect(lane.arrive(3, job, over: 2) == .held)
        #expect(lane.arrive(4, job, over: 2) == .superfluous)
        #expect(lane.arrive(5, job, turn: 1, over: 2) == .held)
        #expect(lane.arrive(6, job, body: [1], over: 2) == .held)
        #expect(lane.start() == [])
        for (ended, next) in [(1, 20), (20, 3), (3, 5), (5, 6)] {
            lane.end(ended)
            #expect(lane.start() == [next])
        }
        lane.end(6)
        #expect(lane.arrive(7, job) == .held)
    }

    @Test func `let a limited kind wait without a slot, and too many of it not at all`() {
        let lane = Lane(slots: 8, limits: ["disk.slow": 2])
        let arrivals = (0..<10).map { lane.arrive($0, kind: "disk.slow") }
        #expect(arrivals == Array(repeating: .held, count: 6) + Array(repeating: .crowded, count: 4))
        #expect(lane.start() == [0, 1])
        #expect(lane.arrive(10) == .held)
        #expect(lane.start() == [10])
        lane.end(1)
        #expect(lane.start() == [2])
        #expect(lane.withdraw { $0 != 4 } == [3, 5])
        lane.end(0)
        #expect(lane.start() == [4])
        #expect(lane.start() == [])
    }

    @Test(arguments: 0..<100)
    func `start each delivery once, within all limits, and starve nobody`(seed: UInt64) {
        var world = LanesWorld(seed: seed)
        for _ in 0..<400 { world.step() }
        world.finish()
        #expect(world.faults == [])
    }
}

/// The only lane of a worker, with its deliveries by number.
private final class Lane {
    private var lanes: Lanes<Int>
    private var running: [Int: Lanes<Int>.Entry] = [:]

    init(slots: Int, limits: [JobKind: Int] = [:]) {
        self.lanes = Lanes(slots: slots, lanes: 1, limits: limits)
    }

    func arrive(
        _ item: Int,
        _ job: JobID = JobID(),
        kind: JobKind = "disk.any",
        turn: Int = 0,
        body: [UInt8] = [],
        over connection: UInt64 = 1,
    ) -> Lanes<Int>.Arrival {
        let copy = Lanes<Int>.Copy(
            job: job,
            kind: kind,
            turn: turn,
            replayCount: 0,
            body: body,
            connection: connection
        )
        return self.lanes.arrive(Lanes<Int>.Entry(item: item, lane: 0, copy: copy))
    }

    /// Starts what may.
    func start() -> [Int] {
        var started: [Int] = []
        while let next = self.lanes.next() {
            self.running[next.item] = next
            started.append(next.item)
        }
        return started
    }

    func end(_ item: Int) {
        guard let entry = self.running.removeValue(forKey: item) else { return }
        self.lanes.end(entry)
    }

    func withdraw(where isMeant: (Int) -> Bool) -> [Int] { self.lanes.withdraw(where: isMeant) }
}

/// Deliveries of few jobs and kinds that come, start, end and are withdrawn by chance, and what must hold of them.
private struct LanesWorld {
    typealias Entry = Lanes<Int>.Entry

    private var random: SplitMix64
    private var lanes: Lanes<Int>
    private let slots: Int
    private let queues: Int
    private let limits: [JobKind: Int] = ["disk.one": 1, "disk.three": 3]
    private let jobs = (0..<12).map { _ in JobID() }
    private var running: [Entry] = []
    private var held: Set<Int> = []
    private var last = 0
    private(set) var faults: Set<String> = []

    init(seed: UInt64) {
        self.random = SplitMix64(seed: seed)
        self.slots = .random(in: 1...20, using: &self.random)
        self.queues = .random(in: 1...4, using: &self.random)
        self.lanes = Lanes(slots: self.slots, lanes: self.queues, limits: self.limits)
    }

    mutating func step() {
        switch Int.random(in: 0..<10, using: &self.random) {
        case 0..<5: self.arrive()
        case 5..<9: self.endOne()
        default: self.withdraw()
        }
        self.start()
    }

    /// All that is left comes to its end, though nothing more comes in.
    mutating func finish() {
        for _ in 0...self.held.count {
            self.start()
            self.endOne()
        }
        if !self.held.isEmpty { self.faults.insert("something never started") }
        if self.lanes.waiting.contains(where: { $0 != 0 }) {
            self.faults.insert("something is counted that is gone")
        }
    }

    private mutating func arrive() {
        self.last += 1
        let lane = Int.random(in: 0..<self.queues, using: &self.random)
        let kinds: [JobKind] = ["disk.any", "disk.one", "disk.three"]
        let copy = Lanes<Int>.Copy(
            job: self.jobs.randomElement(using: &self.random) ?? JobID(),
            kind: kinds.randomElement(using: &self.random) ?? "disk.any",
            turn: .random(in: 0...1, using: &self.random),
            replayCount: 0,
            body: [],
            connection: UInt64(lane * 10 + Int.random(in: 0...1, using: &self.random))
        )
        let isJob = Int.random(in: 0..<10, using: &self.random) > 0
        let entry = Entry(item: self.last, lane: lane, copy: isJob ? copy : nil)
        switch self.lanes.arrive(entry) {
        case .held: self.held.insert(self.last)
        case .superfluous, .crowded: if !isJob { self.faults.insert("a message that is no job was refused") }
        }
    }

    private mutating func start() {
        while let next = self.lanes.next() {
            if !self.held.contains(next.item) { self.faults.insert("something started that was not held") }
            if let job = next.copy?.job, self.running.contains(where: { $0.copy?.job == job }) {
                self.faults.insert("two of one job ran at once")
            }
            self.running.append(next)
        }
        if self.running.count > self.slots { self.faults.insert("more ran than there are slots") }
        for (kind, limit) in self.limits where self.running.count(where: { $0.copy?.kind == kind }) > limit {
            self.faults.insert("more of a kind ran than may")
        }
        if self.running.isEmpty, !self.held.isEmpty { self.faults.insert("all waited and nothing ran") }
    }

    private mutating func endOne() {
        guard let index = self.running.indices.randomElement(using: &self.random) else { return }
        let ended = self.running.remove(at: index)
        self.held.remove(ended.item)
        self.lanes.end(ended)
    }

    private mutating func withdraw() {
        let remainder = Int.random(in: 0..<3, using: &self.random)
        for item in self.lanes.withdraw(where: { $0 % 3 == remainder }) {
            if self.running.contains(where: { $0.item == item }) {
                self.faults.insert("what ran was withdrawn")
            }
            self.held.remove(item)
        }
    }
}
