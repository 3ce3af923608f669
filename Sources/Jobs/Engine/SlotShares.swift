/// Which lane may take one of the slots of a worker.
///
/// A lane is one queue. Half of the slots are promised, to each lane as many as to any other; the rest is lent to whoever asks
/// first. What is lent never reaches so far that a lane could not have all that it was promised at once.
struct SlotShares: Sendable {
    let slots: Int

    /// How many slots each lane can have at any time; none where there are more lanes than slots.
    let guaranteed: Int

    /// How many slots each lane has now.
    private(set) var taken: [Int]

    init(slots: Int, lanes: Int) {
        self.slots = slots
        self.guaranteed = slots < lanes ? 0 : max(1, slots / (2 * lanes))
        self.taken = Array(repeating: 0, count: lanes)
    }

    /// The most that a lane can have, which it has where all others rest.
    var most: Int { self.slots - (self.taken.count - 1) * self.guaranteed }

    func mayTake(_ lane: Int) -> Bool {
        let keptForOthers = self.taken.indices.reduce(0) { sum, other in
            other == lane ? sum : sum + max(self.taken[other], self.guaranteed)
        }
        return keptForOthers + self.taken[lane] < self.slots
    }

    /// Only where the lane may.
    mutating func take(_ lane: Int) { self.taken[lane] += 1 }

    mutating func free(_ lane: Int) { self.taken[lane] -= 1 }
}
