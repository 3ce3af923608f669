import AWS
import Admin
import ArgumentParser
import Capacity
import Disks
import EventLoops
import FoundationEssentials
import Glibc
import HTTP
import Jobs
import Kubernetes
import Logging
import Metrics
import OpenTelemetry
import Postgres
import Prometheus
import RabbitMQ
import Reservations
import ServiceLifecycle
import UnixSignals

/// `run`: builds each part once, joins them and works until a signal comes.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Consume jobs until SIGTERM or SIGINT; a second signal ends at once."
    )

    func run() async throws {
        // A log that nobody reads any more is no reason to stop working.
        signal(SIGPIPE, SIG_IGN)
        let (
            database, broker, topology, aws, worker, dns, routes, cluster, bucket, retention, admin, traces,
            logs
        ) =
            try await Settings.load(
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
        let logger = logs.logger(traced: traces != nil)
        let registry = PrometheusRegistry.ofWorker()
        MetricsSystem.bootstrap(registry)
        let jobLoop = EventLoop(name: "jobs", lateness: Self.lateness(of: "jobs", logger))
        let relayLoop = EventLoop(name: "relay", lateness: Self.lateness(of: "relay", logger))
        let http = HTTPClient()
        let exporter = traces.map {
            SpanExporter($0, version: Release.current.version, http: http, logger: logger)
        }
        let tracer = exporter?.tracer
        let pool = PostgresPool(database.pooled.with { $0.tracer = tracer }, on: jobLoop, logger: logger)
        let client = AWSClient(configuration: aws, http: http, logger: logger, tracer: tracer)
        let kubernetes = cluster.map {
            KubernetesClient($0, aws: client, http: http, logger: logger, tracer: tracer)
        }
        var kinds = KindTable()
        kinds.register(
            DiskServices(
                database: pool,
                direct: database.direct,
                ec2: EC2Client(client),
                s3: S3Client(client),
                kubernetes: kubernetes,
                contentsBucket: bucket,
                reconcileDeadline: Self.reconcileDeadline,
                retention: retention
            )
        )
        kinds.register(
            ReservationServices(
                database: pool,
                route53: Route53Client(client),
                loadBalancing: ELBv2Client(client),
                s3: S3Client(client),
                kubernetes: kubernetes,
                contentsBucket: bucket,
                dns: dns,
                routes: routes
            )
        )
        kinds.register(
            CapacityServices(
                database: pool,
                scaling: AutoScalingClient(client),
                kubernetes: kubernetes,
                updater: worker.name
            )
        )
        #if DEBUG
            let olderThan = ProcessInfo.processInfo.environment["GPUDEV_OLDER_THAN"] ?? ""
            for kind in olderThan.split(separator: ",") { kinds.remove(JobKind(String(kind))) }
        #endif
        let health = WorkerHealth(loops: [jobLoop, relayLoop], stallLimit: Self.stallLimit)
        let schema = SchemaWatch(database.direct, beside: pool, jobLoop, health, logger)
        let engine = Worker(
            settings: worker,
            kinds: kinds,
            topology: topology,
            pool: pool,
            database: database.pooled,
            direct: database.direct,
            broker: broker,
            health: health,
            explain: schema.explain,
            tracer: tracer,
            jobLoop: jobLoop,
            relayLoop: relayLoop,
            logger: logger
        )
        let service = WorkerService(
            worker: engine,
            schema: schema,
            schedules: SchedulesTable(pool),
            defaults: Self.schedules(hasCluster: kubernetes != nil).filter { kinds[$0.kind] != nil }
        )
        let adminServer = AdminServer(at: admin, AdminPages(health, registry), logger: logger)
        // They end in the opposite order: probes are answered, and spans sent, until the worker is done.
        let companions: [(name: String, service: (any Service)?)] = [
            ("second signal", SecondSignal()), ("admin port", adminServer), ("spans", exporter),
        ]
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: companions.compactMap { name, service in
                    service.map {
                        .init(service: $0, successTerminationBehavior: .ignore, serviceName: name)
                    }
                } + [
                    .init(
                        service: service,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        serviceName: "worker"
                    )
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        ).run()
        await pool.close()
    }

    /// What goes on by itself; each period once, however many replicas there are.
    private static func schedules(hasCluster: Bool) -> [DefaultSchedule] {
        let always = [DefaultSchedule("disk.reconcile-all"), DefaultSchedule("disk.prune-snapshots")]
        guard hasCluster else { return always }
        return always + [DefaultSchedule("reservation.sweep"), DefaultSchedule("capacity.refresh")]
    }

    /// Reconciling all disks may take most of the five minutes after which the next run is due.
    private static var reconcileDeadline: Duration {
        #if DEBUG
            let seconds = ProcessInfo.processInfo.environment["GPUDEV_RECONCILE_DEADLINE"].flatMap { Int($0) }
            if let seconds { return .seconds(seconds) }
        #endif
        return .seconds(240)
    }

    /// How long something may stand still before the worker counts as hanging.
    private static var stallLimit: Duration {
        #if DEBUG
            let seconds = ProcessInfo.processInfo.environment["GPUDEV_STALL_LIMIT"].flatMap { Double($0) }
            if let seconds { return .seconds(seconds) }
        #endif
        return .seconds(30)
    }

    private static func lateness(of loop: String, _ logger: Logger) -> Lateness {
        let turns = Metrics.Timer(label: "gpudev_loop_lateness_seconds", dimensions: [("loop", loop)])
        return Lateness(above: .milliseconds(100)) { lateness in
            turns.record(duration: lateness)
            logger.warning("a loop was held up", metadata: ["loop": "\(loop)", "duration": "\(lateness)"])
        }
    }
}
