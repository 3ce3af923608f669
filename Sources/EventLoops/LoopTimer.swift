/// One action that a loop will run at a time; used on that loop only.
package final class LoopTimer {
    let deadline: UInt64
    private(set) var action: () -> Void
    private(set) var isCancelled = false

    init(deadline: UInt64, action: @escaping () -> Void) {
        self.deadline = deadline
        self.action = action
    }

    /// Keeps the action from running and lets go of what it holds.
    package func cancel() {
        self.isCancelled = true
        self.action = {}
    }
}

/// Timers by deadline, soonest first: a binary heap, from which cancelled timers drop out as they surface.
struct TimerHeap {
    private var heap: [LoopTimer] = []
    private var liveAtLastSweep = 0

    var nextDeadline: UInt64? {
        mutating get {
            while let first = self.heap.first, first.isCancelled { self.removeTop() }
            return self.heap.first?.deadline
        }
    }

    mutating func insert(_ timer: LoopTimer) {
        self.sweepIfCrowded()
        self.heap.append(timer)
        self.siftUp(from: self.heap.count - 1)
    }

    /// Takes out the soonest timer if its time has come.
    mutating func removeFirst(dueAt now: UInt64) -> LoopTimer? {
        guard let deadline = self.nextDeadline, deadline <= now else { return nil }
        return self.removeTop()
    }

    /// Deadlines that are nearly always cancelled would pile up; rebuilding at each doubling keeps them few.
    private mutating func sweepIfCrowded() {
        guard self.heap.count >= 2 * max(self.liveAtLastSweep, 512) else { return }
        self.heap.removeAll { $0.isCancelled }
        self.heap.sort { $0.deadline < $1.deadline }
        self.liveAtLastSweep = self.heap.count
    }

    @discardableResult
    private mutating func removeTop() -> LoopTimer {
        self.heap.swapAt(0, self.heap.count - 1)
        let top = self.heap.removeLast()
        self.siftDown(from: 0)
        return top
    }

    private mutating func siftUp(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard self.heap[child].deadline < self.heap[parent].deadline else { return }
            self.heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(from start: Int) {
        var parent = start
        while true {
            let (left, right) = (2 * parent + 1, 2 * parent + 2)
            guard left < self.heap.count else { return }
            let isRightSooner =
                right < self.heap.count && self.heap[right].deadline < self.heap[left].deadline
            let child = isRightSooner ? right : left
            guard self.heap[child].deadline < self.heap[parent].deadline else { return }
            self.heap.swapAt(parent, child)
            parent = child
        }
    }
}

extension Duration {
    /// The whole nanoseconds of a duration; nothing for a negative one, and at most about 292 years.
    package var wholeNanoseconds: UInt64 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = self.components
        guard seconds < 9_000_000_000 else { return 9_000_000_000_000_000_000 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
