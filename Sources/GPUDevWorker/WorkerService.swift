import Jobs
import Postgres
import ServiceLifecycle

/// The engine as a service: it starts when the schema is there, and ends in order when asked to.
struct WorkerService: Service {
    let worker: Worker
    let schema: SchemaWatch
    let schedules: SchedulesTable
    let defaults: [DefaultSchedule]

    func run() async throws {
        repeat {
            guard try await self.schema.waitUntilCurrent() else { return }
        } while try await !self.addSchedules()
        try await self.worker.run { try? await gracefulShutdown() }
    }

    /// False if PostgreSQL went away meanwhile, or refuses it.
    private func addSchedules() async throws -> Bool {
        do {
            try await self.schedules.add(self.defaults)
            return true
        } catch {
            guard error.isConnectionLost || error.isAboutSchema else { throw error }
            await self.schema.pause(after: error)
            return false
        }
    }
}
