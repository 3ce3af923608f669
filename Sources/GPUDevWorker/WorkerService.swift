import Jobs
import Logging
import Postgres
import ServiceLifecycle

/// The engine as a service: it starts when the schema is there, and ends in order when asked to.
struct WorkerService: Service {
    let worker: Worker
    let schema: SchemaWatch
    let schedules: ScheduleRecords
    let defaults: [DefaultSchedule]
    let logger: Logger

    func run() async throws {
        repeat {
            guard try await self.schema.waitUntilCurrent() else { return }
        } while try await !self.addSchedules()
        try await self.worker.run { try? await gracefulShutdown() }
    }

    /// False if PostgreSQL went away meanwhile.
    private func addSchedules() async throws -> Bool {
        do {
            try await self.schedules.add(self.defaults)
            return true
        } catch {
            guard error.isConnectionLost else { throw error }
            self.logger.warning("PostgreSQL is away; waiting", metadata: ["error": "\(error)"])
            return false
        }
    }
}
