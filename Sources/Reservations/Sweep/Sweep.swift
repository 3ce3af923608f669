import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Metrics
import Postgres

/// `reservation.sweep`: finds the reservations that must end, and those that have ended and left something behind.
///
/// It only reads; what it finds becomes notes on rows, ends of reservations and jobs, all in the one transaction of
/// its own. What cannot be read stops nothing that does not depend on it, and is never taken for absent. The time is
/// PostgreSQL's.
struct Sweep: JobHandler {
    static let kind: JobKind = "reservation.sweep"

    let database: PostgresPool
    let loadBalancing: ELBv2Client
    let kubernetes: KubernetesClient?
    let routes: RouteSettings?

    init(_ services: ReservationServices) {
        self.database = services.database
        self.loadBalancing = services.loadBalancing
        self.kubernetes = services.kubernetes
        self.routes = services.routes
    }

    var deadline: Duration? { .seconds(300) }

    struct Payload: DryRunPayload {
        let isDryRun: Bool

        static let shape = PayloadShape(
            Self.init,
            .dryRun
        )
    }

    struct Event: EventData {
        let reservations: Int
        let warned: Int
        let expired: Int
        let failed: Int
        let stale_cancelled: Int
        let oom_detected: Int
        let resumed: Int
        let orphaned_routes: Int?
        let orphaned_names: Int
        let without_expiry: Int
        let unreadable: Int
        let deferred: Int
        let dry_run: Bool

        static let shape = EventShape<Event>(
            .field("reservations", "Live reservations that were looked at.") { $0.reservations },
            .field("warned", "Warned that their end is near.") { $0.warned },
            .field("expired", "Whose time is up, or whose pod is gone.") { $0.expired },
            .field("failed", "Too long in preparation.") { $0.failed },
            .field("stale_cancelled", "Too long in the queue.") { $0.stale_cancelled },
            .field(
                "oom_detected",
                "Containers that ran out of memory since the last run."
            ) { $0.oom_detected },
            .field("resumed", "Teardowns that had not been finished.") { $0.resumed },
            .nullable(
                "orphaned_routes",
                "Target groups of reservations that are over; null if AWS could not be read."
            ) { $0.orphaned_routes },
            .field("orphaned_names", "Host names of reservations that are over.") { $0.orphaned_names },
            .field(
                "without_expiry",
                "Active reservations with no time of expiry, which a person must look at."
            ) { $0.without_expiry },
            .field(
                "unreadable",
                """
                Active reservations whose pods could not be looked at, or all of them if none has a pod \
                in the list.
                """
            ) { $0.unreadable },
            .field(
                "deferred",
                """
                What must end or go and is left to the next run, since each run ends only so many of a \
                class.
                """
            ) { $0.deferred },
            .dryRun { $0.dry_run }
        )
    }

    private static let pageSize = 500

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { ExclusiveKey("sweep", "reservations") }

    func act(on job: Job<Payload>) async throws -> Success {
        let isDryRun = job.isDryRun
        let plan = try await self.plan(job.context)
        self.report(plan, job.context.logger)
        let swept = Event(
            reservations: plan.live,
            warned: plan.warned,
            expired: plan.count(of: .expired),
            failed: plan.count(of: .failed),
            stale_cancelled: plan.count(of: .cancelled),
            oom_detected: plan.outOfMemory,
            resumed: plan.resumed.count,
            orphaned_routes: plan.routes.map { _ in plan.orphans.count },
            orphaned_names: plan.ended.count { $0.hasName },
            without_expiry: plan.withoutExpiry.count,
            unreadable: plan.unreadable,
            deferred: plan.deferred.values.reduce(0, +),
            dry_run: isDryRun
        )
        let writes = isDryRun ? [] : plan.notes + (try plan.orders())
        return Success(subject: EventSubject("reservations"), data: swept, writes: writes)
    }
}

extension Sweep {
    private func plan(_ context: JobContext) async throws -> SweepPlan {
        let census = await PodCensus(from: self.kubernetes, context)
        var plan = SweepPlan(at: try await self.database.now())
        var next: String? = ""
        while let last = next {
            let page = try await LiveReservation.page(after: last, Self.pageSize, in: self.database)
            for reservation in page.reservations { plan.add(reservation, census) }
            next = page.last
        }
        try await self.lookAgain(&plan, context)
        plan.ended = try await EndedReservation.marked(
            EndedReservation.all(withPods: census.names(besides: plan.pods), in: self.database),
            at: plan.now,
            in: self.database
        )
        plan.routes = try await self.orphanedRoutes(at: plan.now, context)
        return plan
    }

    /// Ends those whose pods are really gone.
    private func lookAgain(_ plan: inout SweepPlan, _ context: JobContext) async throws {
        guard let kubernetes = self.kubernetes else { return }
        for reservation in plan.takeWithoutPod() {
            do {
                let namespace = kubernetes.namespace
                let pod = try await kubernetes.pod(reservation.pod, in: namespace, deadline: context.deadline)
                if pod == nil { plan.endWithoutPod(reservation) }
            } catch {
                context.logger.warning("a pod could not be read", metadata: ["error": "\(error)"])
                plan.unreadable += 1
            }
        }
    }

    /// Nil if AWS cannot be read.
    private func orphanedRoutes(at now: Date, _ context: JobContext) async throws -> OrphanedRoutes? {
        guard let settings = self.routes else { return OrphanedRoutes.none }
        do {
            return try await OrphanedRoutes.find(
                self.loadBalancing,
                settings,
                at: now,
                in: self.database,
                deadline: context.deadline
            )
        } catch let error as AWSError {
            context.logger.warning("the target groups could not be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func report(_ plan: SweepPlan, _ logger: Logger) {
        for ending in plan.endings {
            logger.notice(
                "a reservation must end",
                metadata: ["reservation.id": "\(ending.reservation.id)", "reason": "\(ending.reason)"]
            )
        }
        for reservation in plan.withoutExpiry {
            logger.error(
                "an active reservation has no time of expiry",
                metadata: ["reservation.id": "\(reservation)"]
            )
        }
        for reservation in plan.resumed.map(\.id) + plan.removedRoutes {
            logger.notice(
                "a reservation that is over has left something behind",
                metadata: ["reservation.id": "\(reservation)"]
            )
        }
        self.tellDeferred(plan, logger)
    }

    private func tellDeferred(_ plan: SweepPlan, _ logger: Logger) {
        if plan.isWithoutAnyPod {
            logger.error("no reservation has a pod in the namespace, so nobody ends for want of one")
        }
        for (what, count) in plan.deferred where count > 0 {
            logger.warning(
                "a sweep leaves some for later runs",
                metadata: ["sweep.class": "\(what.rawValue)", "sweep.deferred": "\(count)"]
            )
            what.deferred.increment(by: count)
        }
    }
}

extension Sweep {
    static let documentation = KindDocumentation(
        "Find reservations that must end",
        summary: "finds reservations that must end, warns before, and resumes what was left unfinished",
        """
        Looks at every live reservation: warns before its end, ends those whose time is up, whose pod is \
        gone, or that were never served; notes containers that ran out of memory; and finds AWS objects \
        of reservations that are over.
        """,
        examples: [
            [:]
        ],
        authority: .init(
            sentBy: "clock, operator",
            canHarm: "what tear-down does, for those that are over",
            undoneBy: "not",
            provedBy: "rows, PostgreSQL's clock, the cluster; the limits of mass destruction"
        ),
        event: .init(
            "Reservations were swept",
            """
            The data of reservation.sweep.completed. What must end is ended by reservation.tear-down \
            jobs.
            """,
            examples: [
                [
                    "reservations": 40,
                    "warned": 2,
                    "expired": 1,
                    "failed": 0,
                    "stale_cancelled": 0,
                    "oom_detected": 0,
                    "resumed": 0,
                    "orphaned_routes": 0,
                    "orphaned_names": 0,
                    "without_expiry": 0,
                    "unreadable": 0,
                    "deferred": 0,
                    "dry_run": false,
                ]
            ]
        )
    )
}
