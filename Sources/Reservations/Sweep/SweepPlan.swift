import FoundationEssentials
import Jobs
import Kubernetes
import Logging
import Platform
import Postgres

/// What a sweep has found and what comes of it, before anything is done.
///
/// What it may end or remove is limited by class, and each class by itself: the first so many go, the others wait for
/// the next run.
struct SweepPlan: Sendable {
    struct Ending: Sendable {
        let reservation: LiveReservation
        let end: ReservationEnd
        let reason: String
    }

    /// The time by PostgreSQL's clock.
    let now: Date
    private(set) var live = 0
    private(set) var warned = 0
    private(set) var withoutExpiry: [ReservationID] = []
    private(set) var outOfMemory = 0
    /// Those whose noted time is up, which no misreading can have made so.
    private var expired: [Ending] = []
    /// Those that have waited, or were prepared, for too long.
    private var overdue: [Ending] = []
    /// Those whose pods a second look has not found either.
    private var gone: [Ending] = []
    /// Those whose pods a second look must not find either.
    private var withoutPod: [LiveReservation] = []
    /// Active reservations whose pods are not in the list, however young they are, and live ones whose pods are.
    private var absentPods = 0
    private var podsSeen = 0
    /// The pods of live reservations.
    private(set) var pods: Set<String> = []
    /// Those whose pods could not be looked at.
    var unreadable = 0
    var ended: [EndedReservation] = []
    /// Nil if AWS could not be read.
    var routes: OrphanedRoutes? = OrphanedRoutes.none
    /// Warnings and counts, which destroy nothing.
    private(set) var notes: [Write] = []
    private var deferredPods = 0

    /// How many expire in one transaction.
    private static let mostExpired = 500

    init(at now: Date) { self.now = now }

    /// Takes a live reservation in.
    mutating func add(_ reservation: LiveReservation, _ census: PodCensus) {
        self.live += 1
        self.pods.insert(reservation.pod)
        if let pod = census[reservation.pod] {
            self.podsSeen += 1
            self.note(pod, of: reservation)
        }
        let sight = census.sight(of: reservation.pod)
        let finding = reservation.finding(at: self.now, sight)
        if reservation.status == .active, !finding.isOver {
            if census.isUnreadable { self.unreadable += 1 }
            if sight == .absent { self.absentPods += 1 }
        }
        switch finding {
        case .fine: break
        case .over(let end, let reason):
            let ending = Ending(reservation: reservation, end: end, reason: reason)
            if end == .expired { self.expired.append(ending) } else { self.overdue.append(ending) }
        case .withoutPod: self.withoutPod.append(reservation)
        case .withoutExpiry: self.withoutExpiry.append(reservation.id)
        case .nearlyOver(let warning):
            self.warned += 1
            self.notes.append(reservation.warning(warning, at: self.now))
        }
    }

    private mutating func note(_ pod: Pod, of reservation: LiveReservation) {
        let found = OutOfMemory.found(in: pod, since: reservation.lastOutOfMemory, reservation.history)
        self.outOfMemory += found.map(\.containers.count).reduce(0, +)
        self.notes += found.map { $0.note(on: reservation.id) }
    }
}

extension SweepPlan {
    /// Whether the list of pods must be a misreading, however few they are: several reservations are active and none
    /// has a pod, as in a namespace that does not exist, whose list is empty.
    var isWithoutAnyPod: Bool { self.absentPods > 1 && self.podsSeen == 0 }

    /// Hands over those that need a second look, as many as one run may end; all of them count as unreadable if the
    /// list of pods must be a misreading.
    mutating func takeWithoutPod() -> ArraySlice<LiveReservation> {
        guard !self.isWithoutAnyPod else {
            self.unreadable += self.absentPods
            return []
        }
        defer { self.withoutPod = [] }
        let taken = self.withoutPod.prefix(DestructionLimit.allowance(of: self.live))
        self.deferredPods = self.withoutPod.count - taken.count
        return taken
    }

    /// Ends one whose pod is really gone.
    mutating func endWithoutPod(_ reservation: LiveReservation) {
        self.gone.append(Ending(reservation: reservation, end: .expired, reason: "its pod is gone"))
    }
}

extension SweepPlan {
    /// The reservations that end in this run.
    var endings: [Ending] {
        self.expired.prefix(Self.mostExpired) + self.overdue.prefix(DestructionLimit.allowance(of: self.live))
            + self.gone
    }

    /// Teardowns that had not been finished, as many as one sweep may take up; the others' turn comes.
    var resumed: ArraySlice<EndedReservation> {
        self.ended.filter { !$0.isTried }
            .prefix(DestructionLimit.allowance(of: self.live + self.ended.count))
    }

    /// Reservations whose routes are left over and are no other job's matter.
    var orphans: [ReservationID] {
        let ended = Set(self.ended.map(\.id))
        return (self.routes?.reservations ?? []).filter { !ended.contains($0) }
    }

    /// Those among them whose routes this run removes; who was taken up within the hour makes room for the others.
    var removedRoutes: ArraySlice<ReservationID> {
        self.untriedOrphans.prefix(DestructionLimit.allowance(of: self.routes?.known ?? 0))
    }

    private var untriedOrphans: [ReservationID] {
        self.orphans.filter { !(self.routes?.tried.contains($0) ?? false) }
    }

    /// What must end or go and is left to later runs, by class.
    var deferred: [SweepClass: Int] {
        [
            .expired: self.expired.count - self.expired.prefix(Self.mostExpired).count,
            .overdue: max(0, self.overdue.count - DestructionLimit.allowance(of: self.live)),
            .withoutPod: self.isWithoutAnyPod ? self.withoutPod.count : self.deferredPods,
            .route: self.untriedOrphans.count - self.removedRoutes.count,
        ]
    }

    func count(of end: ReservationEnd) -> Int { self.endings.count { $0.end == end } }

    /// The jobs that end and remove, each enqueued together with the end of its reservation.
    func orders() throws -> [Write] {
        let endings = try self.endings.map { try $0.reservation.ending(as: $0.end, because: $0.reason) }
        let resumed = try self.resumed.map { ended in
            try Write.enqueue(TearDown.kind, ended.order, id: ended.order.laterJob(at: self.now))
        }
        let routes = try self.removedRoutes.map { reservation in
            try Write.enqueue(
                DeleteTargetGroup.kind,
                ["reservation_id": reservation.description],
                id: SweepJobs.route(of: reservation, at: self.now)
            )
        }
        return endings + resumed + routes
    }
}
