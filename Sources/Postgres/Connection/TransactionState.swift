/// What a connection knows of its transaction: whether one is open, how deep its savepoints go, and which statements
/// about it still wait to travel with the next ones.
///
/// `BEGIN`, `SAVEPOINT` and their like never make a round trip of their own.
struct TransactionState {
    /// Who may use the transaction: the value handed out last, for the innermost savepoint.
    struct Token: Hashable, Sendable {
        let id: Int
        let depth: Int
    }

    private enum Phase {
        case none
        case open
        case ending
    }

    private(set) var isReadOnly = false
    private var phase = Phase.none
    private var token = Token(id: 0, depth: 0)
    private var pending: [SQL] = []
    /// Whether anything of the transaction has gone to the server.
    private var hasStarted = false

    var isIdle: Bool { self.phase == .none }

    /// Whether a value still stands for the open transaction, at any depth.
    func isOpen(_ token: Token) -> Bool {
        self.phase != .none && token.id == self.token.id
    }

    mutating func begin(_ options: TransactionOptions) throws(PostgresError) -> Token {
        guard self.isIdle else {
            throw Self.misuse("a transaction is open on this connection already; pass it along")
        }
        self.token = Token(id: self.token.id + 1, depth: 0)
        self.phase = .open
        self.isReadOnly = options.readOnly
        self.hasStarted = false
        self.pending = [options.begin]
        return self.token
    }

    /// What has to go before the next statements.
    mutating func takePending(_ token: Token) throws(PostgresError) -> [SQL] {
        try self.check(token)
        defer { self.pending = [] }
        self.hasStarted = true
        return self.pending
    }

    /// Opens a savepoint; until it is left, only the new token is good.
    mutating func enterSavepoint(_ token: Token) throws(PostgresError) -> Token {
        try self.check(token)
        self.token = Token(id: token.id, depth: token.depth + 1)
        self.pending.append(Self.savepoint("SAVEPOINT ", self.token.depth))
        return self.token
    }

    /// Leaves a savepoint, whose work is kept or undone.
    mutating func leaveSavepoint(_ token: Token, isKept: Bool) throws(PostgresError) {
        try self.check(token)
        self.token = Token(id: token.id, depth: token.depth - 1)
        let opening = Self.savepoint("SAVEPOINT ", token.depth)
        guard self.pending.last?.outline != opening.outline else {
            self.pending.removeLast()
            return
        }
        if !isKept { self.pending.append(Self.savepoint("ROLLBACK TO SAVEPOINT ", token.depth)) }
        self.pending.append(Self.savepoint("RELEASE SAVEPOINT ", token.depth))
    }

    /// Begins the end: nobody may use the transaction any more.
    ///
    /// - Returns: What has to go before the last statements; nil if there is nothing to end on the server.
    mutating func startCommit(_ token: Token, withStatements: Bool) throws(PostgresError) -> [SQL]? {
        try self.check(token)
        guard token.depth == 0 else { throw Self.misuse("a savepoint cannot commit the transaction") }
        self.phase = .ending
        defer { self.pending = [] }
        return self.hasStarted || withStatements ? self.pending : nil
    }

    mutating func end() {
        self.phase = .none
        self.pending = []
        self.isReadOnly = false
    }

    private func check(_ token: Token) throws(PostgresError) {
        guard self.phase == .open, token.id == self.token.id else {
            throw Self.misuse("the transaction has ended")
        }
        guard token.depth == self.token.depth else {
            throw Self.misuse("a savepoint inside of this transaction is open, or this one was left")
        }
    }

    private static func savepoint(_ command: StaticString, _ depth: Int) -> SQL {
        SQL(command) + SQL(unparsed: "p\(depth)")
    }

    static func misuse(_ message: String) -> PostgresError {
        PostgresError(.transactionMisuse, operation: "transaction", message: message)
    }
}
