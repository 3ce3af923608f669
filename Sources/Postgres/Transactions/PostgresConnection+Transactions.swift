extension PostgresConnection {
    /// Runs `body` in a transaction, which ends with it.
    ///
    /// Commits when `body` returns, unless it has committed already, and rolls back when it throws.
    ///
    /// - Parameters:
    ///   - options: The isolation, and whether writing is refused.
    ///   - limit: How long the whole transaction may take; the configuration's deadline if not given.
    ///   - body: What to do; it runs where the caller runs.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or a `PostgresError` about the connection or the commit.
    package nonisolated func transaction<R>(
        _ options: TransactionOptions = TransactionOptions(),
        within limit: Duration? = nil,
        _ body: (Transaction) async throws -> R
    ) async throws -> R {
        try await self.transaction(options, until: self.deadline(within: limit), body)
    }

    nonisolated func transaction<R>(
        _ options: TransactionOptions,
        until deadline: Instant,
        _ body: (Transaction) async throws -> R
    ) async throws -> R {
        let token = try await self.begin(options)
        let transaction = Transaction(connection: self, token: token, deadline: deadline)
        do {
            let result = try await Transaction.$current.withValue(transaction) { try await body(transaction) }
            try await self.finish(transaction)
            return result
        } catch {
            await self.rollBack(transaction)
            throw error
        }
    }

    private func begin(_ options: TransactionOptions) throws(PostgresError) -> TransactionState.Token {
        try self.transactionState.begin(options)
    }

    func runInTransaction(
        _ transaction: Transaction,
        _ statements: [SQL],
        operation: String,
        deadline: Instant
    ) async throws(PostgresError) -> [PostgresResult] {
        for statement in statements { try statement.check(operation: operation) }
        var group = StatementGroup(statements)
        group.before = try self.transactionState.takePending(transaction.token)
        return try await self.perform(group, operation: operation, deadline: deadline)
    }

    func commit(_ transaction: Transaction, after statements: [SQL]) async throws(PostgresError)
        -> [PostgresResult]
    {
        let pending = try self.transactionState.startCommit(
            transaction.token,
            withStatements: !statements.isEmpty
        )
        guard let pending else {
            self.transactionState.end()
            return []
        }
        var group = StatementGroup(statements)
        group.before = pending
        group.after = ["COMMIT"]
        group.mustCommit = true
        group.isCancellable = false
        let results = try await self.perform(group, operation: "commit", deadline: transaction.deadline)
        self.transactionState.end()
        return results
    }

    /// Commits unless that has happened.
    private func finish(_ transaction: Transaction) async throws(PostgresError) {
        guard self.transactionState.isOpen(transaction.token) else { return }
        _ = try await self.commit(transaction, after: [])
    }

    /// Rolls back what there is; a connection that cannot even do that is closed.
    private func rollBack(_ transaction: Transaction) async {
        guard self.transactionState.isOpen(transaction.token) else { return }
        defer { self.transactionState.end() }
        guard !self.isClosed, self.isInTransaction else { return }
        var group = StatementGroup(["ROLLBACK"])
        group.isCancellable = false
        do {
            _ = try await self.perform(
                group,
                operation: "rollback",
                deadline: self.deadline(within: .seconds(5))
            )
        } catch {
            self.close()
        }
    }

    func enterSavepoint(_ token: TransactionState.Token) throws(PostgresError) -> TransactionState.Token {
        try self.transactionState.enterSavepoint(token)
    }

    func leaveSavepoint(_ token: TransactionState.Token, isKept: Bool) throws(PostgresError) {
        try self.transactionState.leaveSavepoint(token, isKept: isKept)
    }
}
