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
    private let pool: PostgresPool
    private let loop: EventLoop
    private let health: WorkerHealth
    private let logger: Logger

    private static let pause: Duration = .seconds(1)

    /// How long the server may take to answer.
    private static let queryTimeout: Duration = .seconds(10)

    init(
        _ database: PostgresConfiguration,
        beside pool: PostgresPool,
        _ loop: EventLoop,
        _ health: WorkerHealth,
        _ logger: Logger
    ) {
        self.database = database
        self.pool = pool
        self.loop = loop
        self.health = health
        self.logger = logger
    }

    /// False if the end came first.
    func waitUntilCurrent() async throws -> Bool {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                if try await self.withConnection(self.isCurrent) { return true }
                await self.pause()
            } catch let error as PostgresError where error.isConnectionLost || error.isAboutSchema {
                await self.pause(after: error)
            }
        }
        return false
    }

    /// Notes what is in the way, and waits a moment.
    func pause(after error: PostgresError) async {
        if error.isConnectionLost {
            self.wait(for: "\(error)")
        } else {
            let trouble = await self.explain(error)
            self.health.note(.schema, lacking: trouble)
            self.logger.warning(
                "PostgreSQL refuses what the worker needs; waiting",
                metadata: ["error": "\(trouble)"]
            )
        }
        await self.pause()
    }

    /// What PostgreSQL has refused, after what the role or the schema lacks, if that is found.
    func explain(_ refusal: PostgresError) async -> String {
        [await self.shortcoming(), "\(refusal)"].compactMap(\.self).joined(separator: " – ")
    }

    /// What the schema, or the role's rights in it, lack; nil if nothing is found, or nothing can be said.
    private func shortcoming() async -> String? {
        do {
            return try await self.withConnection { connection in
                if let lacking = try await TablePrivilege.lacking(on: connection) {
                    return "\(lacking): grant it (docs/database-roles.sql)"
                }
                let status = try await EmbeddedSchemas.migrations.check(on: connection)
                return status.isCurrent ? nil : Self.behind(status)
            }
        } catch {
            self.logger.debug("the schema could not be looked at", metadata: ["error": "\(error)"])
            return nil
        }
    }
}

extension SchemaWatch {
    private func isCurrent(over connection: PostgresConnection) async throws -> Bool {
        guard try await !connection.isReadOnly() else {
            self.wait(for: "the server is read-only")
            return false
        }
        let status = try await EmbeddedSchemas.migrations.check(on: connection)
        guard status.changed.isEmpty else {
            throw Failure(
                .configuration,
                "migrations \(status.changed) are not those that this program knows"
            )
        }
        guard try await self.pool.sharesDatabase(with: connection) else {
            throw Failure(.configuration, SeparateDatabases().description)
        }
        self.health.note(.database)
        if status.isCurrent {
            self.health.note(.schema)
        } else {
            self.health.note(.schema, lacking: Self.behind(status))
            self.logger.warning(
                "the schema is behind; waiting for `gpudev-worker migrate`",
                metadata: ["schema.pending": "\(status.pending)"]
            )
        }
        return status.isCurrent
    }

    private static func behind(_ status: MigrationStatus) -> String {
        "steps \(status.pending) are missing: run `gpudev-worker migrate`"
    }

    private func wait(for trouble: String) {
        self.health.note(.database, lacking: trouble)
        self.logger.warning("PostgreSQL is unreachable; waiting", metadata: ["error": "\(trouble)"])
    }

    private func pause() async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
    }

    private func withConnection<Value: Sendable>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let connection = try await PostgresConnection.connect(
            self.database.with { $0.callDeadline = Self.queryTimeout },
            on: self.loop,
            logger: self.logger
        )
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(connection))
        } catch {
            result = .failure(error)
        }
        await connection.close()
        return try result.get()
    }
}
