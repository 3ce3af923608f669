import AWS
import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Postgres

/// `reservation.sweep`: finds the reservations that must end, and those that have ended and left something behind.
///
/// It only reads; what it finds becomes notes on rows, ends of reservations and jobs, all in the one transaction of
/// its own. What cannot be read stops nothing that does not depend on it, and is never taken for absent.
struct Sweep: JobHandler {
    static let kind: JobKind = "reservation.sweep"

    let database: PostgresPool
    let loadBalancing: ELBv2Client
    let kubernetes: KubernetesClient?
    let routes: RouteSettings?

    var deadline: Duration? { .seconds(300) }

    struct Payload: Decodable, DryRunPayload {
        let isDryRun: Bool

        init(from decoder: any Decoder) throws {
            let isDryRun = try PayloadFields(decoder).read(only: PayloadField<Switch?>.optional("dry_run"))
            self.isDryRun = isDryRun?.isOn ?? false
        }
    }

    private struct Swept: Encodable, Sendable {
        let reservations: Int
        let warned: Int
        let expired: Int
        let failed: Int
        let stale_cancelled: Int
        let oom_detected: Int
        let resumed: Int
        let orphaned_routes: Nullable<Int>
        let orphaned_names: Int
        let without_expiry: Int
        let unreadable: Int
        let dry_run: Bool
    }

    private static let pageSize = 500

    func exclusiveKey(for payload: Payload) -> String? { "sweep:reservations" }

    func act(on job: Job<Payload>) async throws -> Fate {
        let isDryRun = job.isDryRun
        let plan = try await self.plan(job.context)
        self.tell(plan, job.context.logger)
        if let refusal = plan.refusal { return .rejected(refusal, writes: isDryRun ? [] : plan.notes) }
        let swept = Swept(
            reservations: plan.live,
            warned: plan.warned,
            expired: plan.count(of: .expired),
            failed: plan.count(of: .failed),
            stale_cancelled: plan.count(of: .cancelled),
            oom_detected: plan.outOfMemory,
            resumed: plan.resumed.count,
            orphaned_routes: Nullable(plan.routes.map { _ in plan.orphans.count }),
            orphaned_names: plan.ended.count { $0.hasName },
            without_expiry: plan.withoutExpiry.count,
            unreadable: plan.unreadable,
            dry_run: isDryRun
        )
        let writes = isDryRun ? [] : plan.notes + (try plan.orders())
        return .success(Success(subject: EventSubject("reservations"), data: swept, writes: writes))
    }
}

extension Sweep {
    private func plan(_ context: JobContext) async throws -> SweepPlan {
        let census = await PodCensus(from: self.kubernetes, context)
        var plan = SweepPlan(at: Date())
        var next: String? = ""
        while let last = next {
            let page = try await LiveReservation.page(after: last, Self.pageSize, in: self.database)
            for reservation in page.reservations { plan.add(reservation, census) }
            next = page.last
        }
        if plan.refusal == nil { try await self.lookAgain(&plan, context) }
        plan.ended = try await EndedReservation.marked(
            EndedReservation.all(withPods: census.names(besides: plan.pods), in: self.database),
            at: plan.now,
            in: self.database
        )
        plan.routes = try await self.orphanedRoutes(context)
        return plan
    }

    /// Ends those whose pods are really gone.
    private func lookAgain(_ plan: inout SweepPlan, _ context: JobContext) async throws {
        guard let kubernetes = self.kubernetes else { return }
        for reservation in plan.takeWithoutPod() {
            do {
                let namespace = kubernetes.namespace
                let pod = try await kubernetes.pod(reservation.pod, in: namespace, deadline: context.deadline)
                if pod == nil { plan.end(reservation, as: .expired, because: "its pod is gone") }
            } catch {
                context.logger.warning("a pod could not be read", metadata: ["error": "\(error)"])
                plan.unreadable += 1
            }
        }
    }

    /// Nil if AWS cannot be read.
    private func orphanedRoutes(_ context: JobContext) async throws -> OrphanedRoutes? {
        guard let settings = self.routes else { return OrphanedRoutes.none }
        do {
            return try await OrphanedRoutes.find(
                self.loadBalancing,
                settings,
                in: self.database,
                deadline: context.deadline
            )
        } catch let error as AWSError {
            context.logger.warning("the target groups could not be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func tell(_ plan: SweepPlan, _ logger: Logger) {
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
        for reservation in plan.resumed.map(\.id) + plan.orphans {
            logger.notice(
                "a reservation that is over has left something behind",
                metadata: ["reservation.id": "\(reservation)"]
            )
        }
    }
}
