import Admin
import Jobs
import Prometheus

extension AdminPages {
    /// The pages of a worker.
    init(_ health: WorkerHealth, _ registry: PrometheusRegistry) {
        let process = ProcessMetrics(version: Release.current.version)
        self.init(
            readiness: { health.readiness().map { ($0.name, $0.trouble) } },
            liveness: { health.liveness().map { ($0.name, $0.trouble) } },
            metrics: {
                process.refresh()
                return registry.text()
            },
            version: Release.current.json
        )
    }
}
