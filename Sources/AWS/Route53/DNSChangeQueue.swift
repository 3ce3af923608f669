/// The orders that wait for their turn at one zone: which go together, and which not.
struct DNSChangeQueue {
    typealias Entry = (number: Int, order: DNSChangeOrder)

    // Amazon Route 53 Developer Guide, Quotas.
    private static let mostRecords = 1000
    private static let mostCharacters = 32_000

    private var entries: [Entry] = []
    private var isSending = false

    var count: Int { self.entries.count }

    /// Whether nothing is being sent, so that an order may go at once; it is being sent then.
    mutating func begin() -> Bool {
        defer { self.isSending = true }
        return !self.isSending
    }

    mutating func add(_ number: Int, _ order: DNSChangeOrder) { self.entries.append((number, order)) }

    /// Takes an order back; false if it has been sent.
    mutating func withdraw(_ number: Int) -> Bool {
        guard let index = self.entries.firstIndex(where: { $0.number == number }) else { return false }
        self.entries.remove(at: index)
        return true
    }

    /// The orders that go next, now that nothing is being sent; empty if none wait.
    ///
    /// One batch never changes a name for two callers, and no caller overtakes an earlier one at a name. Orders that may
    /// be repeated stay apart from those that may not, so that a lost answer makes no outcome unknown without need.
    mutating func next() -> [Entry] {
        var batch: [Entry] = []
        var left: [Entry] = []
        var names: Set<String> = []
        var (records, characters) = (0, 0)
        for entry in self.entries {
            let order = entry.order
            let fits =
                records + order.recordCount <= Self.mostRecords
                && characters + order.characterCount <= Self.mostCharacters
                && order.isIdempotent == batch.first?.order.isIdempotent
                && names.isDisjoint(with: order.names)
            names.formUnion(order.names)
            guard batch.isEmpty || fits else {
                left.append(entry)
                continue
            }
            batch.append(entry)
            records += order.recordCount
            characters += order.characterCount
        }
        self.entries = left
        self.isSending = !batch.isEmpty
        return batch
    }
}
