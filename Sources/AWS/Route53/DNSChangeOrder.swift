/// The changes of records that one caller wants carried out together.
struct DNSChangeOrder: Sendable {
    var changes: [RecordChange]
    var comment: String? = nil
    var deadline: ContinuousClock.Instant

    /// Whether a repetition changes nothing and is not refused.
    var isIdempotent: Bool { self.changes.allSatisfy(\.isIdempotent) }

    var names: Set<String> { Set(self.changes.map { RecordSet.normalized($0.recordSet.name) }) }

    /// How many records it counts for; an upsert counts twice.
    var recordCount: Int { self.changes.reduce(0) { $0 + $1.weight * max(1, $1.recordSet.values.count) } }

    /// How many characters of values it counts for.
    var characterCount: Int {
        self.changes.reduce(0) { sum, change in
            sum + change.weight * change.recordSet.values.reduce(0) { $0 + $1.unicodeScalars.count }
        }
    }

    /// Orders that share no name, as one; it has to be done by the earliest deadline.
    static func merged(_ orders: [DNSChangeOrder]) -> DNSChangeOrder {
        var comments: [String] = []
        for comment in orders.compactMap(\.comment) where !comments.contains(comment) {
            comments.append(comment)
        }
        return DNSChangeOrder(
            changes: orders.flatMap(\.changes),
            comment: comments.isEmpty ? nil : String(comments.joined(separator: "; ").prefix(256)),
            deadline: orders.map(\.deadline).min() ?? .now
        )
    }
}

extension RecordChange {
    fileprivate var weight: Int { if case .upsert = self { 2 } else { 1 } }
}
