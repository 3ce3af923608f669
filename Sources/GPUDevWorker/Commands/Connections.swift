import EventLoops
import Jobs
import Logging
import Postgres
import RabbitMQ

/// Connections for one command, closed when it is done.
enum Connections {
    /// Commands speak for themselves; their clients log nothing.
    private static let silence = Logger(label: "gpudev-worker") { _ in SwiftLogNoOpLogHandler() }

    /// How long a command waits for a connection before it says that there is none.
    private static let timeout: Duration = .seconds(4)

    static func withBroker<Result>(
        _ configuration: RabbitMQConfiguration,
        _ body: (RabbitMQConnection) async throws -> Result,
    ) async throws -> Result {
        let named = configuration.with {
            $0.connectionName = "gpudev-worker command"
            $0.connectTimeout = Self.timeout
        }
        return try await self.lend(body) { loop in
            try await RabbitMQConnection.connect(named, on: loop, logger: self.silence)
        } close: {
            await $0.close()
        }
    }

    static func withDatabase<Result>(
        _ configuration: PostgresConfiguration,
        _ body: (PostgresPool) async throws -> Result,
    ) async throws -> Result {
        try await self.lend(body) { loop in
            // A pool goes on trying to connect for as long as a call may take; somebody at a terminal does not.
            let hasty = configuration.with { $0.connectDeadline = Self.timeout }
            let probe = try await PostgresConnection.connect(hasty, on: loop, logger: self.silence)
            await probe.close()
            return PostgresPool(hasty.with { $0.connections = 0...2 }, on: loop, logger: self.silence)
        } close: {
            await $0.close()
        }
    }

    static func withSession<Result>(
        _ configuration: PostgresConfiguration,
        _ body: (PostgresConnection) async throws -> Result,
    ) async throws -> Result {
        let hasty = configuration.with { $0.connectDeadline = Self.timeout }
        return try await self.lend(body) { loop in
            try await PostgresConnection.connect(hasty, on: loop, logger: self.silence)
        } close: {
            await $0.close()
        }
    }

    private static func lend<Client, Result>(
        _ body: (Client) async throws -> Result,
        open: (EventLoop) async throws -> Client,
        close: (Client) async -> Void,
    ) async throws -> Result {
        let loop = EventLoop(name: "command")
        defer { loop.stop() }
        let client = try await open(loop)
        do {
            let result = try await body(client)
            await close(client)
            return result
        } catch {
            await close(client)
            throw error
        }
    }
}
