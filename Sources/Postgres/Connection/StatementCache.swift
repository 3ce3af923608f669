/// Which statements one session has prepared.
///
/// The preparation travels with the first execution. Until the server has confirmed it, other requests cannot
/// rely on it, since the first may fail before it gets there; they send the text.
struct StatementCache {
    /// How a statement is to be sent.
    enum Plan: Equatable {
        case prepared(name: String)
        case prepare(name: String)
        case direct
    }

    private struct Entry {
        let name: String
        /// The request that carries the preparation; nil once the server has confirmed it.
        var preparing: Int?
    }

    private let capacity: Int
    private var entries: [StatementOutline: Entry] = [:]
    private var lastName = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Decides for one statement of a request.
    mutating func plan(for outline: StatementOutline, in request: Int) -> Plan {
        if let entry = self.entries[outline] {
            let isUsable = entry.preparing == nil || entry.preparing == request
            return isUsable ? .prepared(name: entry.name) : .direct
        }
        guard self.entries.count < self.capacity else { return .direct }
        self.lastName += 1
        let entry = Entry(name: "s\(self.lastName)", preparing: request)
        self.entries[outline] = entry
        return .prepare(name: entry.name)
    }

    /// The server has prepared the statement, or has not.
    mutating func settle(_ outline: StatementOutline, isPrepared: Bool) {
        if isPrepared {
            self.entries[outline]?.preparing = nil
        } else {
            self.entries[outline] = nil
        }
    }
}
