/// The publishes of one channel that the broker has not confirmed yet, by sequence number from 1.
struct ConfirmWindow<Slot> {
    private var slots: [Slot?] = []
    private var firstNumber: UInt64 = 1
    private var head = 0
    private(set) var openCount = 0

    /// Notes the next publish and returns its sequence number.
    mutating func open(_ slot: Slot) -> UInt64 {
        self.slots.append(slot)
        self.openCount += 1
        return self.firstNumber + UInt64(self.slots.count - 1)
    }

    /// Reaches into a publish that is not confirmed yet.
    mutating func update(_ number: UInt64, _ change: (inout Slot) -> Void) {
        guard let index = self.index(of: number), var slot = self.slots[index] else { return }
        change(&slot)
        self.slots[index] = slot
    }

    /// Takes the publish of that number, or with `multiple` every open one up to it, in order.
    mutating func settle(_ number: UInt64, multiple: Bool, _ body: (Slot) -> Void) {
        guard let last = self.index(of: number) else { return }
        for index in (multiple ? min(self.head, last) : last)...last {
            guard let slot = self.slots[index] else { continue }
            self.slots[index] = nil
            self.openCount -= 1
            body(slot)
        }
        self.compact()
    }

    private func index(of number: UInt64) -> Int? {
        guard number >= self.firstNumber, number - self.firstNumber < UInt64(self.slots.count) else {
            return nil
        }
        return Int(number - self.firstNumber)
    }

    private mutating func compact() {
        while self.head < self.slots.count, self.slots[self.head] == nil { self.head += 1 }
        guard self.head == self.slots.count || self.head > 1024 && self.head * 2 > self.slots.count else {
            return
        }
        self.slots.removeFirst(self.head)
        self.firstNumber += UInt64(self.head)
        self.head = 0
    }
}
