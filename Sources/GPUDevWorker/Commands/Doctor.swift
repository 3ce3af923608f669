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
            "Check every dependency, one line each, with what to do; exit code 1 if something falls short."
    )

    func run() async throws {
        let (database, broker, topology, aws, _, dns, routes, cluster) = try await Settings.load(
            { $0.database() },
            { $0.broker() },
            { $0.topology() },
            { $0.aws() },
            { $0.worker() },
            { $0.dns() },
            { $0.routes() },
            { $0.kubernetes() }
        )
        var report = Report()
        await report.check("PostgreSQL", "check DATABASE_URL, and whether the server runs") {
            try await Connections.withDatabase(database.pooled) { try await Self.server($0) }
        }
        await report.check("schema", "run `gpudev-worker migrate`") {
            try await Connections.withSession(database.direct) { try await Self.schema($0) }
        }
        await report.check("RabbitMQ", "check AMQP_URL, and whether the broker runs") {
            try await Connections.withBroker(broker) {
                "version \($0.brokerProperties["version"]?.string ?? "unknown")"
            }
        }
        await report.check("topology", "run `gpudev-worker topology declare`") {
            let faults = try await Connections.withBroker(broker) { try await topology.faults(on: $0) }
            guard faults.isEmpty else { throw Failure(.failed, faults.joined(separator: "; ")) }
            return "\(topology.queues.count) queues as they must be"
        }
        let (http, logger) = (HTTPClient(), Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() })
        let client = AWSClient(configuration: aws, http: http, logger: logger)
        await report.check("AWS", "check the credentials, AWS_REGION and the way to AWS") {
            "account \(try await STSClient(client).callerIdentity(deadline: .in(.seconds(10))).account)"
        }
        if let dns {
            await report.check("Route 53", "check HOSTED_ZONE_ID and the permission ListResourceRecordSets") {
                let records = try await Route53Client(client).listRecordSets(in: dns.hostedZoneID, limit: 1)
                return "zone \(dns.hostedZoneID) can be read (\(records.first?.name ?? "empty"))"
            }
        } else {
            report.note("Route 53", "host names are not set up: jobs reservation.map-dns will be rejected")
        }
        if let routes {
            await report.check(
                "load balancer",
                "check JUPYTER_ALB_LISTENER_ARN and the permission DescribeRules"
            ) {
                "\(try await ELBv2Client(client).describeRules(of: routes.listenerARN).count) rules on the listener"
            }
        } else {
            report.note(
                "load balancer",
                "routes are not set up: jobs reservation.create-target-group will be rejected"
            )
        }
        if let cluster {
            let kubernetes = KubernetesClient(cluster, aws: client, http: http, logger: logger)
            await report.check(
                "Kubernetes",
                "check KUBECONFIG or EKS_CLUSTER_NAME, and the permission to list nodes"
            ) {
                "\(try await kubernetes.nodes(deadline: .in(.seconds(10))).count) nodes"
            }
        } else {
            report.note(
                "Kubernetes",
                "no cluster is set up: jobs that need one, as capacity.refresh, will be rejected"
            )
        }
        guard report.isGood else { throw ExitCode(Failure.Code.failed.rawValue) }
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

    /// One line for each thing.
    private struct Report {
        private(set) var isGood = true

        mutating func check(_ name: String, _ remedy: String, _ body: () async throws -> String) async {
            do {
                self.note(name, try await body())
            } catch {
                self.isGood = false
                let told = (error as? Failure)?.lines.joined(separator: "; ") ?? "\(error)"
                Terminal.print("FAIL \(name): \(told). To do: \(remedy)")
            }
        }

        func note(_ name: String, _ told: String) { Terminal.print("ok   \(name): \(told)") }
    }
}
