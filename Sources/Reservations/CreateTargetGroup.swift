import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `reservation.create-target-group`: the route from a host name to the pod that serves Jupyter.
///
/// The row that claims the route is written first and its ARNs as they appear, so that a job which dies on the way
/// leaves nothing that nobody knows of.
struct CreateTargetGroup: JobHandler {
    static let kind: JobKind = "reservation.create-target-group"

    let database: PostgresPool
    let loadBalancing: ELBv2Client
    let settings: RouteSettings?

    struct Payload: Decodable, Sendable {
        let reservation: ReservationID
        let host: HostName
        let pod: PodName
        let target: LoadBalancerTarget
        let expiry: Date

        init(from decoder: any Decoder) throws {
            let (reservation, host, pod, instance, port, expiry) = try PayloadFields(decoder).read(
                PayloadField<ReservationID>.required("reservation_id"),
                PayloadField<HostName>.required("domain_name"),
                PayloadField<PodName>.required("pod_name"),
                PayloadField<InstanceID>.required("instance_id"),
                PayloadField<Port>.required("jupyter_port"),
                PayloadField<Moment>.required("expires_at")
            )
            self.reservation = reservation
            self.host = host
            self.pod = pod
            self.target = LoadBalancerTarget(instanceID: instance, port: port.number)
            self.expiry = expiry.date
        }
    }

    private struct Routed: Encodable, Sendable {
        let reservation_id: String
        let target_group_arn: String
        let rule_arn: String
        let domain_name: String
    }

    func exclusiveKey(for payload: Payload) -> String? { "reservation:\(payload.reservation)" }

    func act(on job: Job<Payload>) async throws -> Fate {
        guard let settings = self.settings else { return .rejected(.routesNotSetUp) }
        let payload = job.payload
        if case .failure(let refusal) = try await Reservation.findLive(payload.reservation, in: self.database)
        {
            return .rejected(refusal.reason)
        }
        let owner = try await self.claim(payload)
        guard owner == payload.reservation.description else {
            let message = "the host name \(payload.host) belongs to reservation \(owner)"
            return .rejected(Reason("foreign-host-name", message))
        }
        let route = Route(loadBalancing: self.loadBalancing, settings: settings, job: job)
        do {
            let group = try await route.targetGroup()
            try await self.note("jupyter_target_group_arn", group, payload)
            let rule = try await route.rule(forwardingTo: group)
            return .success(self.success(payload, group, rule))
        } catch let refusal as Refusal {
            return .rejected(refusal.reason)
        } catch let error as AWSError where error.code == .limitExceeded {
            return self.rejected(payload, error)
        }
    }
}

extension CreateTargetGroup {
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
    private func rejected(_ payload: Payload, _ error: AWSError) -> Fate {
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
            data: Routed(
                reservation_id: payload.reservation.description,
                target_group_arn: group.rawValue,
                rule_arn: rule.rawValue,
                domain_name: payload.host.description
            ),
            writes: [Write(update, affecting: 1)]
        )
    }
}
