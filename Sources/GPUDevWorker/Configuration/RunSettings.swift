import AWS
import Admin
import Disks
import Jobs
import OpenTelemetry
import RabbitMQ
import Reservations

/// The settings of a worker.
struct RunSettings {
    let database: DatabaseSettings
    let broker: RabbitMQConfiguration
    let topology: Topology
    let aws: AWSConfiguration
    let worker: WorkerSettings
    /// Nil if this replica makes no host names.
    let dns: DNSSettings?
    /// Nil if it makes no routes.
    let routes: RouteSettings?
    /// Nil if it knows no cluster.
    let kubernetes: KubernetesSettings?
    /// Nil if no listings of disks are made.
    let contentsBucket: String?
    let retention: DiskRetention
    let admin: AdminAddress
    /// Nil if nothing is traced.
    let traces: TraceSettings?
    let logs: LogSettings

    /// Reads them.
    ///
    /// Throws `ConfigurationFaults` with all that is missing or wrong.
    static func load() async throws -> RunSettings {
        let parts = try await Settings.load(
            { $0.database() },
            { $0.broker() },
            { $0.topology() },
            { $0.aws() },
            { $0.worker() },
            { $0.dns() },
            { $0.routes() },
            { $0.kubernetes() },
            { $0.contentsBucket() },
            { $0.retention() },
            { $0.admin() },
            { $0.traces() },
            { $0.logs() }
        )
        return RunSettings(
            database: parts.0,
            broker: parts.1,
            topology: parts.2,
            aws: parts.3,
            worker: parts.4,
            dns: parts.5,
            routes: parts.6,
            kubernetes: parts.7,
            contentsBucket: parts.8,
            retention: parts.9,
            admin: parts.10,
            traces: parts.11,
            logs: parts.12
        )
    }
}
