import EventLoops
import Jobs
import Logging
import Postgres
import ServiceLifecycle

/// Waits, before anything is consumed, for a database whose schema this program can work with.
///
/// Steps that are missing will be applied by `migrate`; later steps than this program knows are those of a newer
/// replica. A step that is there and different is a mistake that no waiting mends.
struct SchemaWatch: Sendable {
    private let database: PostgresConfiguration
    private let loop: EventLoop
    private let health: WorkerHealth
    private let logger: Logger

    private static let pause: Duration = .seconds(1)

    init(_ database: PostgresConfiguration, _ loop: EventLoop, _ health: WorkerHealth, _ logger: Logger) {
        self.database = database
        self.loop = loop
        self.health = health
        self.logger = logger
    }

    /// False if the end came first.
    func waitUntilCurrent() async throws -> Bool {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            if try await self.isCurrent() { return true }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
        }
        return false
    }

    private func isCurrent() async throws -> Bool {
        do {
            let connection = try await PostgresConnection.connect(
                self.database,
                on: self.loop,
                logger: self.logger
            )
            guard try await !connection.isReadOnly() else {
                await connection.close()
                self.wait(for: "the server is read-only")
                return false
            }
            let status = try await EmbeddedSchemas.migrations.check(on: connection)
            await connection.close()
            guard status.changed.isEmpty else {
                throw Failure(
                    .configuration,
                    "migrations \(status.changed) are not those that this program knows"
                )
            }
            self.health.note(.database)
            if status.isCurrent {
                self.health.note(.schema)
            } else {
                let trouble = "steps \(status.pending) are missing: run `gpudev-worker migrate`"
                self.health.note(.schema, lacking: trouble)
                self.logger.warning(
                    "the schema is behind; waiting for `gpudev-worker migrate`",
                    metadata: ["schema.pending": "\(status.pending)"]
                )
            }
            return status.isCurrent
        } catch let error as PostgresError where error.isConnectionLost {
            self.wait(for: "\(error)")
            return false
        }
    }

    private func wait(for trouble: String) {
        self.health.note(.database, lacking: trouble)
        self.logger.warning("PostgreSQL is away; waiting", metadata: ["error": "\(trouble)"])
    }
}
