import Admin
import ArgumentParser
import Glibc
import Metrics
import OpenTelemetry
import Postgres
import Prometheus
import ServiceLifecycle
import UnixSignals

/// `run`: works until a signal comes.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Consume jobs until SIGTERM or SIGINT; a second signal ends at once."
    )

    func run() async throws {
        // A log that nobody reads any more is no reason to stop working.
        signal(SIGPIPE, SIG_IGN)
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        let parts = WorkerParts(try await RunSettings.load())
        let admin = AdminServer(
            at: parts.settings.admin,
            AdminPages(parts.health, registry),
            logger: parts.logger
        )
        // They end in the opposite order: probes are answered, and spans sent, until the worker is done.
        let companions: [(name: String, service: (any Service)?)] = [
            ("second signal", SecondSignal()), ("admin port", admin), ("spans", parts.exporter),
        ]
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: companions.compactMap { name, service in
                    service.map {
                        .init(service: $0, successTerminationBehavior: .ignore, serviceName: name)
                    }
                } + [
                    .init(
                        service: parts.service(),
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        serviceName: "worker"
                    )
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: parts.logger
            )
        ).run()
        await parts.pool.close()
    }
}
