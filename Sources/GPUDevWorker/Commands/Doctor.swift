import AWS
import ArgumentParser
import HTTP
import Jobs
import Kubernetes
import Logging
import Postgres
import RabbitMQ
import Reservations

/// `doctor`: asks everything that the worker depends on.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Check every dependency, one line each, with what to do; exit code 1 if any check fails.",
        discussion: "ok: passed. FAIL: failed. off: not configured here. skip: another check failed first."
    )

    func run() async throws {
        let (database, broker, topology, aws, _, dns, routes, cluster, bucket) = try await Settings.load(
            { $0.database() },
            { $0.broker() },
            { $0.topology() },
            { $0.aws() },
            { $0.worker() },
            { $0.dns() },
            { $0.routes() },
            { $0.kubernetes() },
            { $0.contentsBucket() }
        )
        var report = DoctorReport()
        await Self.examine(database, &report)
        await Self.examine(broker, topology, &report)
        let (http, logger) = (HTTPClient(), Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() })
        let client = AWSClient(configuration: aws, http: http, logger: logger)
        await Self.examine(client, dns, routes, &report)
        if let cluster {
            let kubernetes = KubernetesClient(cluster, aws: client, http: http, logger: logger)
            await Self.examine(kubernetes, &report)
        } else {
            report.off(
                "Kubernetes",
                "no cluster is set up here: jobs that need one, as capacity.refresh, wait for a replica that has one"
            )
        }
        if bucket == nil {
            report.off("listings", "DISK_CONTENTS_BUCKET is not set here: no listings of disks are made")
        }
        guard report.isGood else { throw ExitCode(Failure.Code.failed.rawValue) }
    }
}

extension Doctor {
    private static func examine(_ database: DatabaseSettings, _ report: inout DoctorReport) async {
        let patient = database.pooled.with { $0.callDeadline = DoctorReport.timeout }
        let isThere = await report.check("PostgreSQL", "see what PostgreSQL says") {
            let server = try await Connections.withDatabase(patient) { try await Self.server($0) }
            return "\(server), \(database.transport)"
        }
        guard isThere else {
            report.skip("schema", since: "PostgreSQL is unreachable")
            for name in ["privileges", "session", "schedules", "outbox"] {
                report.skip(name, since: "PostgreSQL is unreachable")
            }
            return
        }
        let direct = database.direct.with { $0.callDeadline = DoctorReport.timeout }
        await report.check("schema", "run `gpudev-worker migrate`") {
            try await Connections.withSession(direct) { try await Self.schema($0) }
        }
        await report.check("privileges", "grant them to the role in DATABASE_URL (docs/operations.md)") {
            try await Connections.withSession(patient) { try await Self.privileges($0) }
        }
        await report.check("session", "correct DATABASE_DIRECT_URL, or remove it") {
            try await Self.session(direct, beside: patient)
        }
        await report.check("schedules", "correct it with `gpudev-worker schedule set`, or enable it again") {
            try await Connections.withDatabase(patient) { try await Self.schedules($0) }
        }
        await report.check("outbox", "see GPUDevOutboxSetAside in docs/operations.md") {
            try await Connections.withDatabase(patient) { try await Self.outbox($0) }
        }
    }

    private static func examine(
        _ broker: RabbitMQConfiguration,
        _ topology: Topology,
        _ report: inout DoctorReport
    ) async {
        let patient = broker.with { $0.requestTimeout = DoctorReport.timeout }
        let isThere = await report.check("RabbitMQ", "see what the broker says") {
            try await Connections.withBroker(patient) {
                "version \($0.brokerProperties["version"]?.string ?? "unknown"), \(Transport(broker))"
            }
        }
        guard isThere else { return report.skip("topology", since: "RabbitMQ is unreachable") }
        await report.check("topology", "run `gpudev-worker topology declare`") {
            let faults = try await Connections.withBroker(patient) { try await topology.faults(on: $0) }
            guard faults.isEmpty else { throw Failure(.failed, faults.joined(separator: "; ")) }
            return "\(topology.queues.count) queues as they must be"
        }
    }

    private static func examine(
        _ client: AWSClient,
        _ dns: DNSSettings?,
        _ routes: RouteSettings?,
        _ report: inout DoctorReport
    ) async {
        await report.check("AWS", "check the credentials, AWS_REGION and the way to AWS") {
            let identity = try await STSClient(client).callerIdentity(deadline: .in(DoctorReport.timeout))
            return "account \(identity.account)"
        }
        if let dns {
            await report.check("Route 53", "check HOSTED_ZONE_ID and the permission ListResourceRecordSets") {
                let records = try await Route53Client(client).listRecordSets(
                    in: dns.hostedZoneID,
                    limit: 1,
                    deadline: .in(DoctorReport.timeout)
                )
                return "zone \(dns.hostedZoneID) can be read (\(records.first?.name ?? "empty"))"
            }
        } else {
            report.off(
                "Route 53",
                "host names are not set up here: jobs reservation.map-dns wait for a replica that has them"
            )
        }
        if let routes {
            await report.check(
                "load balancer",
                "check JUPYTER_ALB_LISTENER_ARN and the permission DescribeRules"
            ) {
                let rules = try await ELBv2Client(client).describeRules(
                    of: routes.listenerARN,
                    deadline: .in(DoctorReport.timeout)
                )
                return "\(rules.count) rules on the listener"
            }
        } else {
            report.off(
                "load balancer",
                "routes are not set up here: jobs reservation.create-target-group wait for a replica that has them"
            )
        }
    }

    /// The server, what it lets us do, and whether there is anything where pods are looked for.
    private static func examine(_ kubernetes: KubernetesClient, _ report: inout DoctorReport) async {
        let namespace = kubernetes.namespace
        var lacking: [Permission] = []
        let isThere = await report.check("Kubernetes", "check KUBECONFIG or EKS_CLUSTER_NAME") {
            let deadline = ContinuousClock.Instant.in(DoctorReport.timeout)
            for permission in Permission.needed
            where try await !kubernetes.isAllowed(permission, deadline: deadline) {
                lacking.append(permission)
            }
            return "the API server answers"
        }
        guard isThere else {
            return report.skip("Kubernetes permissions", since: "the API server does not answer")
        }
        await report.check(
            "Kubernetes permissions",
            "apply k8s/access (namespace \(namespace)) and k8s/base/cluster-role.yaml with their bindings"
        ) {
            guard lacking.isEmpty else {
                throw Failure(.failed, "not allowed: \(lacking.map(\.description).joined(separator: ", "))")
            }
            return "all \(Permission.needed.count) that are needed"
        }
        await report.check(
            "Kubernetes namespace",
            "set KUBERNETES_NAMESPACE to the one of the pods, or make it"
        ) {
            let deadline = ContinuousClock.Instant.in(DoctorReport.timeout)
            guard try await kubernetes.namespaceExists(deadline: deadline) else {
                throw Failure(.failed, "namespace \(namespace) does not exist")
            }
            return
                "\(namespace), in a cluster of \(try await kubernetes.nodes(deadline: deadline).count) nodes"
        }
    }

    private static func server(_ pool: PostgresPool) async throws -> String {
        let row = try await pool.run(
            "SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS is_standby"
        ).rows.first
        guard try row?.read("is_standby", as: Bool.self) == false else {
            throw Failure(.failed, "the server is a standby and cannot be written to")
        }
        return "version \(try row?.read("version", as: String.self) ?? "unknown")"
    }

    private static func schema(_ session: PostgresConnection) async throws -> String {
        let status = try await EmbeddedSchemas.migrations.check(on: session)
        guard status.isCurrent else {
            throw Failure(.failed, "missing steps \(status.pending), changed steps \(status.changed)")
        }
        return "current"
    }

    private static func schedules(_ pool: PostgresPool) async throws -> String {
        let failed = try await SchedulesTable(pool).failed()
        guard failed.isEmpty else {
            throw Failure(
                .failed,
                failed.map { "\($0.name) disabled itself: \($0.error)" }.joined(separator: "; ")
            )
        }
        return "none has disabled itself"
    }

    private static func outbox(_ pool: PostgresPool) async throws -> String {
        guard let (count, oldest, error) = try await OutboxTable(pool).setAside() else {
            return "no message is set aside"
        }
        throw Failure(.failed, "\(count) messages are set aside; row \(oldest): \(error)")
    }

    private static func session(_ direct: PostgresConfiguration, beside pooled: PostgresConfiguration)
        async throws -> String
    {
        let isShared = try await Connections.withSession(direct) { session in
            try await Connections.withDatabase(pooled) { try await $0.sharesDatabase(with: session) }
        }
        guard isShared else { throw Failure(.failed, SeparateDatabases().description) }
        return "in the database of the other connections"
    }

    private static func privileges(_ session: PostgresConnection) async throws -> String {
        if let lacking = try await TablePrivilege.lacking(on: session) { throw Failure(.failed, lacking) }
        return "the role may do what the program does with its \(TablePrivilege.needed.count) tables"
    }
}
