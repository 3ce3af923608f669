import EventLoops
import Foundation
import Logging
import Postgres
import Testing

/// The server that the tests talk to.
enum TestServer {
    /// Where it is, from the environment.
    static func configuration() throws -> PostgresConfiguration {
        let url = ProcessInfo.processInfo.environment["GPUDEV_TEST_DATABASE_URL"]
        var configuration = PostgresConfiguration(
            try #require(url, "set GPUDEV_TEST_DATABASE_URL to a superuser's connection string")
        )
        configuration.applicationName = "postgres-tests-\(UUID().uuidString)"
        return configuration
    }

    static let logger = Logger(label: "postgres-tests") { _ in SwiftLogNoOpLogHandler() }
}

/// Lends a connection and closes it.
func withConnection<R>(
    _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresConnection) async throws -> R
) async throws -> R {
    var configuration = try TestServer.configuration()
    adjust(&configuration)
    let loop = EventLoop(name: "test")
    let connection = try await PostgresConnection.connect(configuration, on: loop, logger: TestServer.logger)
    do {
        let result = try await body(connection)
        await connection.close()
        loop.stop()
        return result
    } catch {
        await connection.close()
        loop.stop()
        throw error
    }
}

/// Lends a pool and closes it.
func withPool<R>(
    _ connections: ClosedRange<Int>,
    _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresPool) async throws -> R
) async throws -> R {
    var configuration = try TestServer.configuration()
    configuration.connections = connections
    adjust(&configuration)
    let loop = EventLoop(name: "test")
    let pool = PostgresPool(configuration, on: loop, logger: TestServer.logger)
    do {
        let result = try await body(pool)
        await pool.close()
        loop.stop()
        return result
    } catch {
        await pool.close()
        loop.stop()
        throw error
    }
}

/// Waits until something has become true; fails after a minute, which is a bound on hanging.
func eventually(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(2))
    }
    throw NeverHappened()
}

private struct NeverHappened: Error {}

/// The error that `body` fails with.
func failure<R>(of body: () async throws -> R) async throws -> PostgresError {
    try #require(await #expect(throws: PostgresError.self) { _ = try await body() })
}

/// Lends two connections to a database of their own.
func withNewDatabase(_ body: (PostgresConnection, PostgresConnection) async throws -> Void) async throws {
    let name = "postgres_tests_\(UUID().uuidString)"
    try await withConnection { admin in
        _ = try await admin.run("CREATE DATABASE \(identifier: name) TEMPLATE template0")
        do {
            try await withConnection({ $0.select(database: name) }) { first in
                try await withConnection({ $0.select(database: name) }) { second in
                    try await body(first, second)
                }
            }
        } catch {
            _ = try await admin.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
            throw error
        }
        _ = try await admin.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
    }
}

extension PostgresConfiguration {
    /// Takes another database of the same server.
    mutating func select(database: String) {
        var parts = URLComponents(string: self.connectionString)
        parts?.path = "/" + database
        self.connectionString = parts?.string ?? self.connectionString
    }
}
