import AWS
import Capacity
import Disks
import EventLoops
import FoundationEssentials
import HTTP
import Jobs
import Kubernetes
import Logging
import MetricFamilies
import Metrics
import OpenTelemetry
import Postgres
import Reservations

/// The parts of a worker, each made once from the settings and joined to the others.
struct WorkerParts {
    let settings: RunSettings
    let logger: Logger
    let jobLoop: EventLoop
    let relayLoop: EventLoop
    let health: WorkerHealth
    let pool: PostgresPool
    let aws: AWSClient
    let kubernetes: KubernetesClient?
    /// Nil if nothing is traced.
    let exporter: SpanExporter?

    init(_ settings: RunSettings) {
        let logger = settings.logs.logger(traced: settings.traces != nil)
        let http = HTTPClient()
        let exporter = settings.traces.map {
            SpanExporter($0, version: Release.current.version, http: http, logger: logger)
        }
        let tracer = exporter?.tracer
        let aws = AWSClient(configuration: settings.aws, http: http, logger: logger, tracer: tracer)
        self.settings = settings
        self.logger = logger
        self.exporter = exporter
        self.aws = aws
        self.jobLoop = EventLoop(name: "jobs", lateness: Self.lateness(of: "jobs", logger))
        self.relayLoop = EventLoop(name: "relay", lateness: Self.lateness(of: "relay", logger))
        self.health = WorkerHealth(loops: [self.jobLoop, self.relayLoop], stallLimit: Self.stallLimit)
        self.pool = PostgresPool(
            settings.database.pooled.with { $0.tracer = tracer },
            on: self.jobLoop,
            logger: logger
        )
        self.kubernetes = settings.kubernetes.map {
            KubernetesClient($0, aws: aws, http: http, logger: logger, tracer: tracer)
        }
    }
}

extension WorkerParts {
    /// The engine with its handlers and schedules; called once.
    func service() -> WorkerService {
        let kinds = self.kinds()
        let database = self.settings.database
        let schema = SchemaWatch(database.direct, beside: self.pool, self.jobLoop, self.health, self.logger)
        let engine = Worker(
            settings: self.settings.worker,
            kinds: kinds,
            topology: self.settings.topology,
            pool: self.pool,
            database: database.pooled,
            direct: database.direct,
            broker: self.settings.broker,
            health: self.health,
            explain: schema.explain,
            tracer: self.exporter?.tracer,
            jobLoop: self.jobLoop,
            relayLoop: self.relayLoop,
            logger: self.logger
        )
        return WorkerService(
            worker: engine,
            schema: schema,
            schedules: SchedulesTable(self.pool),
            defaults: self.schedules.filter { kinds[$0.kind] != nil }
        )
    }

    /// The handlers of all kinds.
    private func kinds() -> KindTable {
        var kinds = KindTable()
        kinds.register(
            DiskServices(
                database: self.pool,
                direct: self.settings.database.direct,
                ec2: EC2Client(self.aws),
                s3: S3Client(self.aws),
                kubernetes: self.kubernetes,
                contentsBucket: self.settings.contentsBucket,
                reconcileDeadline: Self.reconcileDeadline,
                retention: self.settings.retention
            )
        )
        kinds.register(
            ReservationServices(
                database: self.pool,
                route53: Route53Client(self.aws),
                loadBalancing: ELBv2Client(self.aws),
                s3: S3Client(self.aws),
                kubernetes: self.kubernetes,
                contentsBucket: self.settings.contentsBucket,
                dns: self.settings.dns,
                routes: self.settings.routes
            )
        )
        kinds.register(
            CapacityServices(
                database: self.pool,
                scaling: AutoScalingClient(self.aws),
                kubernetes: self.kubernetes,
                updater: self.settings.worker.name
            )
        )
        #if DEBUG
            let olderThan = ProcessInfo.processInfo.environment["GPUDEV_OLDER_THAN"] ?? ""
            for kind in olderThan.split(separator: ",") { kinds.remove(JobKind(String(kind))) }
        #endif
        return kinds
    }

    /// What goes on by itself; each period once, however many replicas there are.
    private var schedules: [DefaultSchedule] {
        let always = [DefaultSchedule("disk.reconcile-all"), DefaultSchedule("disk.prune-snapshots")]
        guard self.kubernetes != nil else { return always }
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

    private static let lateIterations = HistogramFamily(
        "gpudev_loop_lateness_seconds",
        seconds: [0.25, 0.5, 1, 2.5, 5, 10],
        "Iterations of an event loop that took longer than 100 ms, and so delayed everything else on it."
    )

    private static func lateness(of loop: String, _ logger: Logger) -> Lateness {
        let durations = Self.lateIterations([("loop", loop)])
        return Lateness(above: .milliseconds(100)) { lateness in
            durations.record(duration: lateness)
            logger.warning("a loop was held up", metadata: ["loop": "\(loop)", "duration": "\(lateness)"])
        }
    }
}
