/// Tells while a connection to the broker stands, which is made again whenever it is lost.
struct ConnectionPresence: Sendable {
    private let condition: WorkerHealth.Condition?
    private let health: WorkerHealth
    private let metrics: ConnectionMetrics

    /// - Parameter condition: What it is for the worker's health; nil where its user reports that.
    init(_ name: String, _ condition: WorkerHealth.Condition?, _ health: WorkerHealth) {
        self.condition = condition
        self.health = health
        self.metrics = ConnectionMetrics(name)
    }

    /// Runs `body`, which uses the connection for as long as it stands.
    func during(_ body: () async throws -> Void) async throws {
        if let condition { self.health.note(condition) }
        self.metrics.opened()
        defer {
            if let condition { self.health.note(condition, lacking: "the connection to RabbitMQ was lost") }
            self.metrics.closed()
        }
        try await body()
    }
}
