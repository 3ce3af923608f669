import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Postgres

/// What a sweep has found and what comes of it, before anything is done.
struct SweepPlan: Sendable {
    struct Ending: Sendable {
        let reservation: LiveReservation
        let end: ReservationEnd
        let reason: String
    }

    let now: Date
    private(set) var live = 0
    private(set) var warned = 0
    private(set) var withoutExpiry: [ReservationID] = []
    private(set) var outOfMemory = 0
    private(set) var endings: [Ending] = []
    /// Those whose pods a second look must not find either.
    private(set) var withoutPod: [LiveReservation] = []
    /// The pods of live reservations.
    private(set) var pods: Set<String> = []
    /// Those whose pods could not be looked at.
    var unreadable = 0
    var ended: [EndedReservation] = []
    /// Nil if AWS could not be read.
    var routes: OrphanedRoutes? = OrphanedRoutes.none
    /// Warnings and counts, which destroy nothing.
    private(set) var notes: [Write] = []

    init(at now: Date) { self.now = now }

    /// Takes a live reservation in.
    mutating func add(_ reservation: LiveReservation, _ census: PodCensus) {
        self.live += 1
        self.pods.insert(reservation.pod)
        if let pod = census[reservation.pod] { self.note(pod, of: reservation) }
        let finding = reservation.finding(at: self.now, census.sight(of: reservation.pod))
        if census.isUnreadable, reservation.status == .active, !finding.isOver { self.unreadable += 1 }
        switch finding {
        case .fine: break
        case .over(let end, let reason): self.end(reservation, as: end, because: reason)
        case .withoutPod: self.withoutPod.append(reservation)
        case .withoutExpiry: self.withoutExpiry.append(reservation.id)
        case .nearlyOver(let warning):
            self.warned += 1
            self.notes.append(reservation.warning(warning, at: self.now))
        }
    }

    mutating func end(_ reservation: LiveReservation, as end: ReservationEnd, because reason: String) {
        self.endings.append(Ending(reservation: reservation, end: end, reason: reason))
    }

    /// Hands over those that need a second look.
    mutating func takeWithoutPod() -> [LiveReservation] {
        defer { self.withoutPod = [] }
        return self.withoutPod
    }

    private mutating func note(_ pod: Pod, of reservation: LiveReservation) {
        let found = OutOfMemory.found(in: pod, since: reservation.lastOutOfMemory, reservation.history)
        self.outOfMemory += found.map(\.containers.count).reduce(0, +)
        self.notes += found.map { $0.note(on: reservation.id) }
    }
}

extension SweepPlan {
    /// Why nothing may be ended or deleted; nil if it is not too much.
    var refusal: Reason? {
        DestructionLimit.refusal(
            removing: self.endings.count + self.withoutPod.count,
            of: self.live,
            "live reservations"
        )
            ?? self.routes.flatMap { routes in
                DestructionLimit.refusal(
                    removing: self.orphans.count,
                    of: routes.known,
                    "target groups"
                )
            }
    }

    /// Teardowns that had not been finished, as many as one sweep may take up; the others' turn comes.
    var resumed: ArraySlice<EndedReservation> {
        self.ended.filter { !$0.isTried }.prefix(DestructionLimit.most(of: self.live + self.ended.count))
    }

    /// Reservations whose routes are left over and are no other job's matter.
    var orphans: [ReservationID] {
        let ended = Set(self.ended.map(\.id))
        return (self.routes?.reservations ?? []).filter { !ended.contains($0) }
    }

    func count(of end: ReservationEnd) -> Int { self.endings.count { $0.end == end } }

    /// The jobs that end and remove, each enqueued together with the end of its reservation.
    func orders() throws -> [Write] {
        let endings = try self.endings.map { try $0.reservation.ending(as: $0.end, because: $0.reason) }
        let resumed = try self.resumed.map { ended in
            try Write.enqueue(TearDown.kind, ended.order, id: ended.order.laterJob(at: self.now))
        }
        let routes = try self.orphans.map { reservation in
            try Write.enqueue(
                DeleteTargetGroup.kind,
                ["reservation_id": reservation.description],
                id: SweepJobs.id("route/\(reservation)", at: self.now)
            )
        }
        return endings + resumed + routes
    }
}
