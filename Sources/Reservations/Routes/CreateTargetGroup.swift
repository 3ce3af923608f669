import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Platform
import Postgres

/// `reservation.create-target-group`: the route from a host name to the pod that serves Jupyter.
///
/// The row that claims the route is written first and its ARNs as they appear, so that a job which dies on the way
/// leaves nothing that nobody knows of.
struct CreateTargetGroup: JobHandler {
    static let kind: JobKind = "reservation.create-target-group"

    let database: PostgresPool
    let loadBalancing: ELBv2Client
    let kubernetes: KubernetesClient?
    let settings: RouteSettings?
    /// Host names that no reservation is routed under unless it has them by `reservation.map-dns`.
    let reservedNames: Set<String>

    init(_ services: ReservationServices) {
        self.database = services.database
        self.loadBalancing = services.loadBalancing
        self.kubernetes = services.kubernetes
        self.settings = services.routes
        self.reservedNames = services.dns?.reservedNames ?? HostName.reserved
    }

    struct Payload: JobPayload {
        let reservation: ReservationID
        let host: HostName
        let pod: PodName
        let target: LoadBalancerTarget
        let expiry: Date

        static let shape = PayloadShape(
            Self.init,
            .reservation,
            .required("domain_name", "The short host name: one DNS label in front of the platform's domain."),
            .required("pod_name", "The reservation's pod, which serves Jupyter; becomes the tag PodName."),
            .required(
                "instance_id",
                "The EC2 instance of the node that the pod runs on; compared with the pod's node."
            ),
            .required(
                "jupyter_port",
                "Port of the node that leads to Jupyter: one that Kubernetes gives to services."
            ),
            .required("expires_at", "When the reservation ends, RFC 3339 with an offset.")
        )

        private init(
            _ reservation: ReservationID,
            _ host: HostName,
            _ pod: PodName,
            _ instance: InstanceID,
            _ port: NodePort,
            _ expiry: Moment
        ) {
            self.reservation = reservation
            self.host = host
            self.pod = pod
            self.target = LoadBalancerTarget(instanceID: instance, port: port.number)
            self.expiry = expiry.date
        }
    }

    struct Event: EventData {
        let reservation: ReservationID
        let targetGroup: ResourceARN
        let rule: ResourceARN
        let host: HostName

        static let shape = EventShape<Event>(
            .reservation { $0.reservation.description },
            .field(
                "target_group_arn",
                "The target group.",
                as: .arn(of: "targetgroup")
            ) { $0.targetGroup.rawValue },
            .field("rule_arn", "The listener's rule.", as: .arn(of: "listener-rule")) { $0.rule.rawValue },
            .field(
                "domain_name",
                "The short host name: one DNS label in front of the platform's domain.",
                as: HostName.schema
            ) { $0.host.description }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { .reservation(payload.reservation) }

    func act(on job: Job<Payload>) async throws -> Success {
        guard let settings = self.settings else { throw Conclusion.leftToOthers(.routesNotSetUp) }
        let payload = job.payload
        let reservation = try await Reservation.findLive(payload.reservation, in: self.database)
        let ownership = RouteOwnership(kubernetes: self.kubernetes, deadline: job.context.deadline)
        try await ownership.check(payload, of: reservation)
        if self.reservedNames.contains(payload.host.description), try await !self.isMapped(payload) {
            let message = "the host name \(payload.host) is kept for the platform"
            throw Conclusion.rejected(Reason("reserved-host-name", message))
        }
        let owner = try await self.claim(payload)
        guard owner == payload.reservation.description else {
            let message = "the host name \(payload.host) belongs to reservation \(owner)"
            throw Conclusion.rejected(Reason("foreign-host-name", message))
        }
        let route = Route(loadBalancing: self.loadBalancing, settings: settings, job: job)
        do {
            let group = try await route.targetGroup()
            try await self.note("jupyter_target_group_arn", group, payload)
            let rule = try await route.rule(forwardingTo: group)
            return self.success(payload, group, rule)
        } catch let error as AWSError where error.code == .limitExceeded {
            throw self.rejected(payload, error)
        }
    }
}

extension CreateTargetGroup {
    /// Whether the reservation has been given the host name.
    private func isMapped(_ payload: Payload) async throws -> Bool {
        let claims = HostNameClaims(database: self.database)
        return try await claims.names(of: payload.reservation).contains(payload.host)
    }

    /// Writes the row, unless the host name is another reservation's; whose it is.
    private func claim(_ payload: Payload) async throws -> String {
        let row = try await self.database.run(
            """
            WITH owner AS (
                SELECT coalesce(
                    (SELECT reservation_id FROM domain_mappings WHERE domain_name = \(payload.host.description)),
                    \(payload.reservation.description)) AS reservation_id
            ), claim AS (
                INSERT INTO alb_target_groups (reservation_id, domain_name, expires_at)
                SELECT reservation_id, \(payload.host.description), \(payload.expiry) FROM owner
                WHERE reservation_id = \(payload.reservation.description)
                ON CONFLICT (reservation_id) DO UPDATE SET domain_name = excluded.domain_name
            )
            SELECT reservation_id FROM owner
            """
        ).rows.first
        return try row?.read("reservation_id") ?? payload.reservation.description
    }

    private func note(_ column: String, _ arn: ResourceARN, _ payload: Payload) async throws {
        _ = try await self.database.run(
            """
            UPDATE alb_target_groups SET \(identifier: column) = \(arn.rawValue)
            WHERE reservation_id = \(payload.reservation.description)
            """
        )
    }

    /// The reservation goes on without Jupyter's address, and says why.
    private func rejected(_ payload: Payload, _ error: AWSError) -> Conclusion {
        let code = error.awsCode ?? error.code.rawValue
        let message = "the load balancer has reached a limit, so Jupyter has no address: \(error.message)"
        let update: SQL = """
            UPDATE reservations SET jupyter_error = \("\(code): \(message)")
            WHERE reservation_id = \(payload.reservation.description)
            """
        return .rejected(Reason(code, message), writes: [Write(update)])
    }

    private func success(_ payload: Payload, _ group: ResourceARN, _ rule: ResourceARN) -> Success {
        let update: SQL = """
            UPDATE alb_target_groups SET domain_name = \(payload.host.description),
                jupyter_target_group_arn = \(group.rawValue), jupyter_rule_arn = \(rule.rawValue),
                expires_at = \(payload.expiry)
            WHERE reservation_id = \(payload.reservation.description)
            """
        return Success(
            subject: EventSubject("reservation", payload.reservation.description),
            data: Event(
                reservation: payload.reservation,
                targetGroup: group,
                rule: rule,
                host: payload.host
            ),
            writes: [Write(update, affecting: 1)]
        )
    }
}

extension CreateTargetGroup {
    static let documentation = KindDocumentation(
        "Route a host name to a pod",
        summary: "routes a reservation's host name to its pod",
        """
        Makes the load balancer's target group, registers the instance and adds the rule that routes the \
        host name to it.
        """,
        examples: [
            [
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "domain_name": "alice-training",
                "pod_name": "gpu-dev-6f1c2f0e",
                "instance_id": "i-0a1b2c3d4e5f60718",
                "jupyter_port": 30888,
                "expires_at": "2026-05-01T12:00:00Z",
            ]
        ],
        authority: .init(
            sentBy: "platform",
            canHarm: "a port of a machine is public",
            undoneBy: "`reservation.delete-target-group`",
            provedBy: """
                row of the reservation; claim of the host name; the pod's annotation and node, \
                compared with the instance; node ports only
                """
        ),
        event: .init(
            "A host name is routed to a pod",
            "The data of reservation.create-target-group.completed.",
            examples: [
                [
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "target_group_arn":
                        "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/jupyter-6f1c2f0e/0a1b2c3d4e5f6071",
                    "rule_arn":
                        "arn:aws:elasticloadbalancing:us-east-2:123456789012:listener-rule/app/jupyter/0a1b2c3d4e5f6071/1a2b3c4d5e6f7081/2a3b4c5d6e7f8091",
                    "domain_name": "alice-training",
                ]
            ]
        )
    )
}
