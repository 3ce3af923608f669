import Jobs
import ServiceLifecycle

/// The engine as a service: it starts when the schema is there, and ends in order when asked to.
struct WorkerService: Service {
    let worker: Worker
    let schema: SchemaWatch

    func run() async throws {
        guard try await self.schema.waitUntilCurrent() else { return }
        try await self.worker.run { try? await gracefulShutdown() }
    }
}
