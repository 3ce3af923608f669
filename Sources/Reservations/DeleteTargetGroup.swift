import AWS
import Jobs
import Postgres

/// `reservation.delete-target-group`: the route to a reservation's pod is gone.
///
/// The reservation need not be there any more: what it left behind is known by its tags.
struct DeleteTargetGroup: JobHandler {
    static let kind: JobKind = "reservation.delete-target-group"

    let database: PostgresPool
    let loadBalancing: ELBv2Client
    let settings: RouteSettings?

    typealias Payload = RemovalPayload

    private struct Deleted: Encodable, Sendable {
        let reservation_id: String
        let rule_arn: Nullable<String>
        let target_group_arn: Nullable<String>
        let dry_run: Bool
    }

    func exclusiveKey(for payload: Payload) -> String? { "reservation:\(payload.reservation)" }

    func act(on job: Job<Payload>) async throws -> Fate {
        guard let settings = self.settings else { return .rejected(.routesNotSetUp) }
        let isDryRun = job.isDryRun
        let removal = RouteRemoval(
            database: self.database,
            loadBalancing: self.loadBalancing,
            settings: settings,
            isDryRun: isDryRun,
            context: job.context
        )
        switch try await removal.remove(routeOf: job.payload.reservation) {
        case .inUse(let group): return .snooze(RouteRemoval.patience, .targetGroupInUse(group))
        case .removed(let removed):
            return .success(
                Success(
                    subject: EventSubject("reservation", job.payload.reservation.description),
                    data: Deleted(
                        reservation_id: job.payload.reservation.description,
                        rule_arn: Nullable(removed.rule?.rawValue),
                        target_group_arn: Nullable(removed.group?.rawValue),
                        dry_run: isDryRun
                    ),
                    writes: removed.writes
                )
            )
        }
    }
}

extension Reason {
    static func targetGroupInUse(_ group: ResourceARN) -> Reason {
        Reason("ResourceInUse", "the load balancer has not let go of target group \(group) yet")
    }
}
