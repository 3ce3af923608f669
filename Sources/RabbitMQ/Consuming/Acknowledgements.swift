/// What has been decided about the deliveries of one channel and is not sent yet.
///
/// Deliveries are numbered from 1 without gaps. Each can be settled once; a second verdict is dropped, since the
/// broker would close the channel over it.
struct Acknowledgements {
    /// What becomes of one delivery.
    enum Verdict: Hashable {
        case acknowledge, giveBack, reject
    }

    /// One frame to send.
    struct Frame: Equatable {
        var verdict: Verdict
        var number: UInt64
        /// Whether it speaks for every earlier delivery too.
        var multiple = false
    }

    /// Every delivery below has been settled.
    private var firstOpen: UInt64
    private(set) var lastDelivered: UInt64
    private var settledAhead: Set<UInt64> = []
    private var acknowledged: [UInt64] = []
    private var others: [Frame] = []

    /// Starts with the delivery after `last`.
    init(after last: UInt64 = 0) {
        self.firstOpen = last + 1
        self.lastDelivered = last
    }

    /// How many deliveries have no verdict yet.
    var openCount: Int { Int(self.lastDelivered + 1 - self.firstOpen) - self.settledAhead.count }

    var isEmpty: Bool { self.acknowledged.isEmpty && self.others.isEmpty }

    mutating func noteDelivery(_ number: UInt64) { self.lastDelivered = max(self.lastDelivered, number) }

    /// Records a verdict; false if the delivery is unknown or has been settled before.
    mutating func settle(_ number: UInt64, _ verdict: Verdict) -> Bool {
        guard number >= self.firstOpen, number <= self.lastDelivered,
            self.settledAhead.insert(number).inserted
        else { return false }
        if verdict == .acknowledge {
            self.acknowledged.append(number)
        } else {
            self.others.append(Frame(verdict: verdict, number: number))
        }
        while self.settledAhead.remove(self.firstOpen) != nil { self.firstOpen += 1 }
        return true
    }

    /// Takes the frames that say it all: one for every acknowledgement below the first open delivery.
    mutating func takeFrames() -> [Frame] {
        var frames = self.others
        self.others.removeAll(keepingCapacity: true)
        self.acknowledged.sort()
        let covered = self.acknowledged.prefix { $0 < self.firstOpen }
        if let last = covered.last {
            frames.append(Frame(verdict: .acknowledge, number: last, multiple: covered.count > 1))
        }
        for number in self.acknowledged.dropFirst(covered.count) {
            frames.append(Frame(verdict: .acknowledge, number: number))
        }
        self.acknowledged.removeAll(keepingCapacity: true)
        return frames
    }
}
