/// The publishes of one channel that the broker has not confirmed yet, by sequence number from 1.
struct ConfirmWindow<Slot> {
    private var slots: [Slot?] = []
    private var firstNumber: UInt64 = 1
    private var head = 0
    /// What was left unconfirmed while thousands after it were confirmed: it must not hold their places up.
    private var stragglers: [UInt64: Slot] = [:]
    private(set) var openCount = 0

    private static var longest: Int { 4096 }

    /// Notes the next publish and returns its sequence number.
    mutating func open(_ slot: Slot) -> UInt64 {
        self.slots.append(slot)
        self.openCount += 1
        return self.firstNumber + UInt64(self.slots.count - 1)
    }

    /// Reaches into a publish that is not confirmed yet.
    mutating func update(_ number: UInt64, _ change: (inout Slot) -> Void) {
        if var straggler = self.stragglers[number] {
            change(&straggler)
            self.stragglers[number] = straggler
            return
        }
        guard let index = self.index(of: number), var slot = self.slots[index] else { return }
        change(&slot)
        self.slots[index] = slot
    }

    /// Takes the publish of that number, or with `multiple` every open one up to it, in order.
    mutating func settle(_ number: UInt64, multiple: Bool, _ body: (Slot) -> Void) {
        self.settleStragglers(number, multiple: multiple, body)
        guard let last = self.index(of: number) else { return }
        for index in (multiple ? min(self.head, last) : last)...last {
            guard let slot = self.slots[index] else { continue }
            self.slots[index] = nil
            self.openCount -= 1
            body(slot)
        }
        self.compact()
    }

    private mutating func settleStragglers(_ number: UInt64, multiple: Bool, _ body: (Slot) -> Void) {
        guard !self.stragglers.isEmpty else { return }
        for late in self.stragglers.keys.filter({ multiple ? $0 <= number : $0 == number }).sorted() {
            guard let slot = self.stragglers.removeValue(forKey: late) else { continue }
            self.openCount -= 1
            body(slot)
        }
    }

    private func index(of number: UInt64) -> Int? {
        guard number >= self.firstNumber, number - self.firstNumber < UInt64(self.slots.count) else {
            return nil
        }
        return Int(number - self.firstNumber)
    }

    private mutating func compact() {
        if self.slots.count - self.head > Self.longest { self.setStragglersApart() }
        while self.head < self.slots.count, self.slots[self.head] == nil { self.head += 1 }
        guard self.head == self.slots.count || self.head > 1024 && self.head * 2 > self.slots.count else {
            return
        }
        self.slots.removeFirst(self.head)
        self.firstNumber += UInt64(self.head)
        self.head = 0
    }

    /// Takes the open ones out of the older half of the window.
    private mutating func setStragglersApart() {
        for index in self.head..<self.slots.count - Self.longest / 2 {
            guard let slot = self.slots[index] else { continue }
            self.stragglers[self.firstNumber + UInt64(index)] = slot
            self.slots[index] = nil
        }
    }
}
