import AWS
import Jobs
import Platform
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

    struct Event: EventData {
        let reservation: ReservationID
        let rule: ResourceARN?
        let targetGroup: ResourceARN?
        let isDryRun: Bool

        static let shape = EventShape<Event>(
            .reservation { $0.reservation.description },
            .nullable(
                "rule_arn",
                "The rule that was deleted; null if there was none.",
                as: .arn
            ) { $0.rule?.rawValue },
            .nullable(
                "target_group_arn",
                "The target group that was deleted; null if there was none.",
                as: .arn
            ) { $0.targetGroup?.rawValue },
            .dryRun { $0.isDryRun }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { .reservation(payload.reservation) }

    func act(on job: Job<Payload>) async throws -> Success {
        guard let settings = self.settings else { throw Conclusion.leftToOthers(.routesNotSetUp) }
        let isDryRun = job.isDryRun
        let removal = RouteRemoval(
            database: self.database,
            loadBalancing: self.loadBalancing,
            settings: settings,
            isDryRun: isDryRun,
            context: job.context
        )
        let removed = try await removal.remove(routeOf: job.payload.reservation)
        return Success(
            subject: EventSubject("reservation", job.payload.reservation.description),
            data: Event(
                reservation: job.payload.reservation,
                rule: removed.rule,
                targetGroup: removed.group,
                isDryRun: isDryRun
            ),
            writes: removed.writes
        )
    }
}

extension DeleteTargetGroup {
    static let documentation = KindDocumentation(
        "Remove a reservation's route",
        summary: "removes a reservation's route",
        "Deletes the reservation's listener rule and target group, and then their row.",
        examples: [
            ["reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11"]
        ],
        authority: .init(
            sentBy: "follow-up",
            canHarm: "a session's route",
            undoneBy: "`reservation.create-target-group`",
            provedBy: "tag `ReservationId` of target group and rule"
        ),
        event: .init(
            "A route is gone",
            "The data of reservation.delete-target-group.completed.",
            examples: [
                [
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "rule_arn":
                        "arn:aws:elasticloadbalancing:us-east-2:123456789012:listener-rule/app/jupyter/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
                    "target_group_arn":
                        "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/jupyter-6f1c2f0e/6d0ecf831eec9f09",
                    "dry_run": false,
                ]
            ]
        )
    )
}
