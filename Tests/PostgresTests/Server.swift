import EventLoops
import Foundation
import Postgres
import Testing

/// The private PostgreSQL that `./dev test` started.
enum Server {
    static func configuration(maximumConnections: Int = 4) throws -> PostgresConfiguration {
        let variable = "GPUDEV_TEST_DATABASE_URL"
        let url = try #require(
            ProcessInfo.processInfo.environment[variable],
            "\(variable) is not set: run the tests with ./dev test"
        )
        var configuration = PostgresConfiguration(url)
        configuration.maximumConnections = maximumConnections
        return configuration
    }

    static func pool(maximumConnections: Int = 4) throws -> PostgresPool {
        PostgresPool(
            try self.configuration(maximumConnections: maximumConnections),
            on: EventLoop(name: "test")
        )
    }
}

/// What an operation that must fail has thrown.
func postgresError(_ operation: () async throws -> Void) async -> PostgresError? {
    do {
        try await operation()
        return nil
    } catch {
        return error as? PostgresError
    }
}
