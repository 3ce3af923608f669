import Testing

@testable import Postgres

@Suite struct StatementCacheTests {
    @Test func `until a preparation is confirmed, only its own request relies on it`() {
        var cache = StatementCache(capacity: 1)
        #expect(cache.plan(for: StatementOutline("a"), in: 1) == .prepare(name: "s1"))
        #expect(cache.plan(for: StatementOutline("a"), in: 1) == .prepared(name: "s1"))
        #expect(cache.plan(for: StatementOutline("a"), in: 2) == .direct)
        #expect(cache.plan(for: StatementOutline("b"), in: 2) == .direct)
        cache.settle(StatementOutline("a"), isPrepared: true)
        #expect(cache.plan(for: StatementOutline("a"), in: 3) == .prepared(name: "s1"))
    }

    @Test func `a preparation that failed is tried again under another name`() {
        var cache = StatementCache(capacity: 1)
        _ = cache.plan(for: StatementOutline("a"), in: 1)
        cache.settle(StatementOutline("a"), isPrepared: false)
        #expect(cache.plan(for: StatementOutline("a"), in: 2) == .prepare(name: "s2"))
    }

    @Test func `outlines that differ in a word or in a parameter are statements of their own`() {
        func statement(_ column: StaticString, _ value: Int) -> SQL {
            "SELECT \(constant: column) = \(value)"
        }
        #expect(statement("a", 1).outline == statement("a", 2).outline)
        #expect(statement("a", 1).outline != statement("b", 1).outline)
        #expect((" a \(1)" as SQL).outline != ("\(1) a " as SQL).outline)
        var cache = StatementCache(capacity: 2)
        #expect(cache.plan(for: statement("a", 1).outline, in: 1) == .prepare(name: "s1"))
        #expect(cache.plan(for: statement("b", 1).outline, in: 1) == .prepare(name: "s2"))
        #expect(cache.plan(for: statement("a", 7).outline, in: 1) == .prepared(name: "s1"))
    }

    @Test(arguments: [
        ("40001", PostgresError.Code.serializationFailure), ("40P01", .deadlock), ("55P03", .lockTimeout),
        ("25006", .readOnly), ("23505", .constraintViolation), ("22P02", .invalidValue),
        ("42P01", .syntaxOrAccess),
        ("57P01", .serverUnavailable), ("57P03", .serverUnavailable), ("57014", .deadlineExceeded),
        ("53100", .diskFull), ("53200", .outOfResources), ("53300", .tooManyConnections),
        ("08006", .connectionLost),
        ("25P03", .connectionLost), ("28P01", .connectionFailed), ("P0001", .other),
    ])
    func `each SQLSTATE has its code`(sqlState: String, code: PostgresError.Code) {
        #expect(PostgresError.Code(sqlState: sqlState) == code)
    }
}
