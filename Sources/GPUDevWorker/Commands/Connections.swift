import EventLoops
import Jobs
import Logging
import Postgres
import RabbitMQ

/// Connections for one command, closed when it is done.
enum Connections {
    /// Commands speak for themselves; their clients log nothing.
    private static let silence = Logger(label: "gpudev-worker") { _ in SwiftLogNoOpLogHandler() }

    static func withBroker<Result>(
        _ configuration: RabbitMQConfiguration,
        _ body: (RabbitMQConnection) async throws -> Result,
    ) async throws -> Result {
        let loop = EventLoop(name: "broker")
        defer { loop.stop() }
        let named = configuration.with { $0.connectionName = "gpudev-worker command" }
        let connection = try await RabbitMQConnection.connect(named, on: loop, logger: Self.silence)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    static func withDatabase<Result>(
        _ configuration: PostgresConfiguration,
        _ body: (PostgresPool) async throws -> Result,
    ) async throws -> Result {
        let loop = EventLoop(name: "database")
        defer { loop.stop() }
        let pool = PostgresPool(configuration.with { $0.connections = 0...2 }, on: loop, logger: Self.silence)
        do {
            let result = try await body(pool)
            await pool.close()
            return result
        } catch {
            await pool.close()
            throw error
        }
    }

    static func withSession<Result>(
        _ configuration: PostgresConfiguration,
        _ body: (PostgresConnection) async throws -> Result,
    ) async throws -> Result {
        let loop = EventLoop(name: "database")
        defer { loop.stop() }
        let connection = try await PostgresConnection.connect(configuration, on: loop, logger: Self.silence)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }
}
