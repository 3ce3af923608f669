/// One open transaction: passed along to everything that takes part in it.
///
/// It ends with the closure that it was given to, and using it later is an error. `BEGIN` travels with the first
/// statements; with `commit(after:)`, `COMMIT` travels with the last ones.
package struct Transaction: Sendable {
    /// The transaction that the current task is in.
    @TaskLocal static var current: Transaction?

    let connection: PostgresConnection
    let token: TransactionState.Token
    let deadline: ContinuousClock.Instant

    /// Runs one statement.
    package func run(_ statement: SQL, within limit: Duration? = nil) async throws(PostgresError)
        -> PostgresResult
    {
        try await self.connection.runInTransaction(
            self,
            [statement],
            operation: "run",
            deadline: self.deadline(within: limit)
        ).only(operation: "run")
    }

    /// Runs statements in one round trip; results in their order.
    ///
    /// The first failure is thrown, and leaves the
    /// transaction, or the savepoint, fit for nothing but rolling back.
    @discardableResult
    package func pipeline(
        _ statements: [SQL],
        within limit: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await self.connection.runInTransaction(
            self,
            statements,
            operation: "pipeline",
            deadline: self.deadline(within: limit)
        )
    }

    /// Runs the last statements and commits, in one round trip; the transaction has ended then.
    @discardableResult
    package func commit(after statements: [SQL]) async throws(PostgresError) -> [PostgresResult] {
        try await self.connection.commit(self, after: statements)
    }

    /// Runs `body` with a transaction value whose work is undone alone if `body` throws.
    ///
    /// Inside, only the value handed to `body` may be used.
    package func savepoint<R>(_ body: (Transaction) async throws -> R) async throws -> R {
        let token = try await self.connection.enterSavepoint(self.token)
        let inner = Transaction(connection: self.connection, token: token, deadline: self.deadline)
        do {
            let result = try await body(inner)
            try await self.connection.leaveSavepoint(token, isKept: true)
            return result
        } catch {
            try? await self.connection.leaveSavepoint(token, isKept: false)
            throw error
        }
    }

    private func deadline(within limit: Duration?) -> ContinuousClock.Instant {
        guard let limit else { return self.deadline }
        return min(self.deadline, ContinuousClock.now + limit)
    }
}

extension [PostgresResult] {
    /// The result of the only statement.
    func only(operation: String) throws(PostgresError) -> PostgresResult {
        guard let result = self.first else {
            throw PostgresError(.other, operation: operation, message: "the server gave no result")
        }
        return result
    }
}
