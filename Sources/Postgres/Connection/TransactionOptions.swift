/// How a transaction is opened.
package struct TransactionOptions: Sendable {
    /// What a transaction may see of others (PostgreSQL manual, 13.2).
    package enum Isolation: Sendable {
        case readCommitted, repeatableRead, serializable
    }

    /// What it may see of others.
    package var isolation: Isolation
    /// Whether it refuses to write.
    package var readOnly: Bool

    package init(isolation: Isolation = .readCommitted, readOnly: Bool = false) {
        self.isolation = isolation
        self.readOnly = readOnly
    }

    /// The statement that opens it.
    var begin: SQL {
        switch (self.isolation, self.readOnly) {
        case (.readCommitted, false): "BEGIN ISOLATION LEVEL READ COMMITTED"
        case (.readCommitted, true): "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
        case (.repeatableRead, false): "BEGIN ISOLATION LEVEL REPEATABLE READ"
        case (.repeatableRead, true): "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        case (.serializable, false): "BEGIN ISOLATION LEVEL SERIALIZABLE"
        case (.serializable, true): "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"
        }
    }
}
