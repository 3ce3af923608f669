import Testing

@testable import Postgres

@Suite struct TransactionStateTests {
    @Test func `begin waits for the first statements, and goes once`() throws {
        var state = TransactionState()
        let token = try state.begin(TransactionOptions())
        #expect(try state.takePending(token).map(\.text) == ["BEGIN ISOLATION LEVEL READ COMMITTED"])
        #expect(try state.takePending(token).isEmpty)
        #expect(try state.startCommit(token, withStatements: false)?.isEmpty == true)
    }

    @Test func `a transaction without statements sends nothing at all`() throws {
        var state = TransactionState()
        let token = try state.begin(TransactionOptions())
        let inner = try state.enterSavepoint(token)
        try state.leaveSavepoint(inner, isKept: true)
        #expect(try state.startCommit(token, withStatements: false) == nil)
    }

    @Test func `a savepoint that was used is released or rolled back before the next statement`() throws {
        var state = TransactionState()
        let token = try state.begin(TransactionOptions())
        let inner = try state.enterSavepoint(token)
        #expect(try state.takePending(inner).map(\.text).last == "SAVEPOINT p1")
        try state.leaveSavepoint(inner, isKept: false)
        #expect(
            try state.takePending(token).map(\.text) == ["ROLLBACK TO SAVEPOINT p1", "RELEASE SAVEPOINT p1"]
        )
    }

    @Test func `only the innermost value of the open transaction may be used`() throws {
        var state = TransactionState()
        let token = try state.begin(TransactionOptions())
        #expect(throws: PostgresError.self) { try state.begin(TransactionOptions()) }
        let inner = try state.enterSavepoint(token)
        #expect(throws: PostgresError.self) { try state.takePending(token) }
        #expect(throws: PostgresError.self) { try state.startCommit(inner, withStatements: true) }
        try state.leaveSavepoint(inner, isKept: true)
        state.end()
        #expect(throws: PostgresError.self) { try state.takePending(token) }
        _ = try state.begin(TransactionOptions())
        #expect(throws: PostgresError.self) { try state.takePending(token) }
    }
}
