/// An open transaction, passed along to whatever takes part in it; there is no other way to write in it.
///
/// `BEGIN` travels with the first statements, and `COMMIT` with the last ones where they are known to be the last.
package final class Transaction {
    private let connection: PostgresConnection
    private let isReadOnly: Bool
    private var state = State.notBegun
    private var lastSavepoint = 0

    private enum State {
        case notBegun, open, over
    }

    init(on connection: PostgresConnection, isReadOnly: Bool) {
        self.connection = connection
        self.isReadOnly = isReadOnly
    }

    /// Runs one statement.
    @discardableResult
    package func run(_ statement: SQL, within limit: Duration = .seconds(30)) async throws(PostgresError)
        -> PostgresResult
    {
        guard let result = try await self.pipeline([statement], within: limit).last else {
            throw PostgresError(.connectionLost, during: "run", "the server answered out of turn")
        }
        return result
    }

    /// Sends all statements at once; their results, in order.
    @discardableResult
    package func pipeline(
        _ statements: [SQL],
        within limit: Duration = .seconds(30),
    ) async throws(PostgresError) -> [PostgresResult] {
        let opening = try self.opening()
        return Array(
            try await self.connection.pipeline(opening + statements, within: limit).dropFirst(opening.count)
        )
    }

    /// Sends the last statements and `COMMIT` together; the transaction is over afterwards.
    @discardableResult
    package func commit(
        after statements: [SQL] = [],
        within limit: Duration = .seconds(30),
    ) async throws(PostgresError) -> [PostgresResult] {
        let results = try await self.pipeline(statements + ["COMMIT"], within: limit)
        self.state = .over
        return Array(results.dropLast())
    }

    /// Undoes what `body` did if it throws, and nothing else.
    package func savepoint<Value>(_ body: () async throws -> Value) async throws -> Value {
        self.lastSavepoint += 1
        let level = self.lastSavepoint
        defer { self.lastSavepoint = level - 1 }
        try await self.run(Self.savepointStatement("SAVEPOINT", level))
        do {
            let value = try await body()
            try await self.run(Self.savepointStatement("RELEASE SAVEPOINT", level))
            return value
        } catch {
            try await self.run(Self.savepointStatement("ROLLBACK TO SAVEPOINT", level))
            throw error
        }
    }

    /// Commits if the body has not; called once by the pool.
    func finish() async throws(PostgresError) {
        guard case .open = self.state else { return self.state = .over }
        try await self.commit()
    }

    /// Undoes everything; a connection that cannot even do that is not handed out again.
    func rollBack() async {
        defer { self.state = .over }
        guard case .open = self.state else { return }
        do throws(PostgresError) {
            _ = try await self.connection.run("ROLLBACK")
        } catch {
            await self.connection.close()
        }
    }

    private func opening() throws(PostgresError) -> [SQL] {
        switch self.state {
        case .notBegun:
            self.state = .open
            return self.isReadOnly ? ["BEGIN READ ONLY"] : ["BEGIN"]
        case .open: return []
        case .over:
            throw PostgresError(.rejected, during: "transaction", "the transaction is over already")
        }
    }

    private static func savepointStatement(_ words: StaticString, _ level: Int) -> SQL {
        SQL(trusted: "\(words) level_\(level)")
    }
}
