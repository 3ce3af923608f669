import Fuzzing

/// One thing that happens in a world; what makes no sense when its turn comes is passed over.
enum Step: Sendable {
    /// A whole session of the platform before there was a worker: a volume from the newest snapshot, a version written,
    /// a snapshot that ends as told, the volume deleted or left behind.
    case session(Int, zone: Int, snapshot: SnapshotEnd, leaks: Bool, row: RowHabit)
    /// A session that is under way; its volume is attached.
    case open(Int, zone: Int)
    /// The user of the disk writes the next version.
    case write(Int)
    /// The reservation that holds the disk ends, without a word of when.
    case end(Int)
    /// The volume comes off its machine.
    case detach(Int)
    /// The volume in use is gone, or in error.
    case vanish(Int, leavesError: Bool)
    /// Somebody copies the newest snapshot, with its tags.
    case copy(Int)
    /// The newest snapshot, or the newest volume, loses a tag.
    case loseTag(Int, ofVolume: Bool, user: Bool)
    /// The newest snapshot is marked to be deleted in so many days, though its disk lives.
    case mark(Int, days: Int)
    case forgetRow(Int)
    /// The row of a free disk comes to name a volume of another user's.
    case misname(Int)
    /// What a quarantine of so many days ago left, with a tag that says for how many days it is kept.
    case oldCopy(Int, age: Int, kept: Int)
    /// A worker does a job; after so many changes in AWS it dies, or before it could write down what it did.
    case job(Task, Int, zone: Int, crash: Crash)
    /// A job deletes the disk from a day on.
    case delete(Int, days: Int)
    /// A job gives the disk another name, by its number among all names.
    case rename(Int, to: Int, crash: Crash)
    /// A job for the disk orders a snapshot of a volume that is another disk's, or nobody's.
    case steal(Int, fromNobody: Bool)
    /// A job that waits has its next attempt.
    case resume(Int)
    /// Every job that waits has a few attempts, so many minutes apart.
    case insist(minutes: Int)
    case pass(minutes: Int)
    case passDays(Int)

    enum SnapshotEnd: CaseIterable { case completed, pending, error, none }

    /// What the platform writes into the row after a session.
    enum RowHabit: CaseIterable {
        /// The volume stays noted, snapshots are not counted.
        case nothing
        /// The count is right, the time is not written.
        case count
        /// What the worker would write.
        case all
    }

    enum Task: CaseIterable {
        case create, restore, createSnapshot, completeSnapshot, release, delete, undelete, prune, pruneOne
        case reconcileVolume, reconcileAll, tearDown, sweep
    }

    enum Crash: Hashable {
        case none
        case afterChanges(Int)
        case beforeRecord
    }
}

extension Step: CustomStringConvertible {
    /// As it is written in code.
    var description: String {
        func words<Value>(_ value: Value) -> String {
            let mirror = Mirror(reflecting: value)
            guard mirror.displayStyle == .enum, let child = mirror.children.first else { return "\(value)" }
            return "\(child.label ?? "")(\(child.value))"
        }
        guard let child = Mirror(reflecting: self).children.first else { return "." }
        let values = Mirror(reflecting: child.value)
        let parts = values.children.map { part in
            let name = part.label.flatMap { $0.hasPrefix(".") ? nil : "\($0): " } ?? ""
            return name + (Mirror(reflecting: part.value).displayStyle == .enum ? "." : "")
                + words(part.value)
        }
        let all = parts.isEmpty ? "\(child.value)" : parts.joined(separator: ", ")
        return ".\(child.label ?? "")(\(all))"
    }
}

/// What happens in one world, drawn from a seed.
struct History: Sendable {
    let seed: UInt64
    let steps: [Step]

    init(seed: UInt64) {
        var dice = SplitMix64(seed: seed)
        self.seed = seed
        var steps: [Step] = []
        for disk in 0..<3 where disk == 0 || dice.happens(1, in: 2) {
            for _ in 0..<Int.random(in: 0...3, using: &dice) { steps.append(.session(disk, &dice)) }
            if dice.happens(1, in: 2) {
                steps.append(.open(disk, zone: dice.zone))
                if dice.happens(3, in: 4) { steps.append(.write(disk)) }
            }
        }
        if dice.happens(1, in: 5) { steps.append(.misname(0)) }
        for _ in 0..<Int.random(in: 2...9, using: &dice) { steps.append(.any(&dice)) }
        self.steps = steps
    }
}

extension Step {
    fileprivate static func session(_ disk: Int, _ dice: inout SplitMix64) -> Step {
        .session(
            disk,
            zone: dice.zone,
            snapshot: dice.happens(3, in: 4) ? .completed : dice.pick(SnapshotEnd.allCases),
            leaks: dice.happens(1, in: 3),
            row: dice.pick(RowHabit.allCases)
        )
    }

    fileprivate static func any(_ dice: inout SplitMix64) -> Step {
        let disk = dice.happens(2, in: 3) ? 0 : Int.random(in: 0...2, using: &dice)
        switch Int.random(in: 0..<32, using: &dice) {
        case 0: return .session(disk, &dice)
        case 1: return .open(disk, zone: dice.zone)
        case 2: return .write(disk)
        case 3, 4: return .end(disk)
        case 5: return .detach(disk)
        case 6: return .vanish(disk, leavesError: dice.happens(1, in: 2))
        case 7: return .copy(disk)
        case 8: return .loseTag(disk, ofVolume: dice.happens(1, in: 2), user: dice.happens(1, in: 2))
        case 9: return .mark(disk, days: dice.pick([-40, -1, 0, 1, 20]))
        case 10: return dice.happens(1, in: 3) ? .forgetRow(disk) : .detach(disk)
        case 11: return .resume(Int.random(in: 0...3, using: &dice))
        case 12: return .pass(minutes: dice.pick([1, 6, 11, 20, 70]))
        case 13: return .passDays(dice.pick([1, 8, 31, 40]))
        case 14: return .misname(disk)
        case 15: return .oldCopy(disk, age: dice.pick([20, 80, 100, 200]), kept: dice.pick([30, 90, 150]))
        case 16: return .delete(disk, days: dice.pick([0, 1, 8, 30]))
        case 17: return .steal(disk, fromNobody: dice.happens(1, in: 2))
        case 18, 19: return .insist(minutes: dice.pick([1, 6, 11]))
        case 20, 21:
            let name = Int.random(in: 0..<World.names.count, using: &dice)
            return .rename(disk, to: name, crash: .any(&dice))
        default: return .job(dice.pick(Task.allCases), disk, zone: dice.zone, crash: .any(&dice))
        }
    }
}

extension Step.Crash {
    fileprivate static func any(_ dice: inout SplitMix64) -> Step.Crash {
        switch Int.random(in: 0..<8, using: &dice) {
        case 0: .beforeRecord
        case 1: .afterChanges(Int.random(in: 0...2, using: &dice))
        default: .none
        }
    }
}

extension SplitMix64 {
    fileprivate mutating func happens(_ times: Int, in tries: Int) -> Bool {
        Int.random(in: 0..<tries, using: &self) < times
    }

    fileprivate mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }

    fileprivate var zone: Int { mutating get { Int.random(in: 0...1, using: &self) } }
}
