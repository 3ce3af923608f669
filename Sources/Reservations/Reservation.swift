import FoundationEssentials
import Jobs
import Kubernetes
import Platform
import Postgres

/// What matters here of a row of `reservations`.
struct Reservation: Sendable {
    let id: ReservationID
    let user: String
    let status: ReservationStatus

    /// The name of its pod, as noted or as it must be.
    let pod: String

    /// Whether it is noted to have a pod, or to have had one.
    let hasPod: Bool

    /// Whether a live reservation whose id begins alike has the pod of that name.
    let isPodShared: Bool

    var subject: EventSubject { EventSubject("reservation", self.id.description) }
}

extension Reservation {
    /// The reservation; nil if there is none, or if the row only serves to lock others out.
    static func find(_ id: ReservationID, in database: PostgresPool) async throws -> Reservation? {
        try await database.run(self.selection(of: id)).rows.first.flatMap { try Reservation(id, $0) }
    }

    /// The reservation, which must be live: nothing can be done for another.
    static func findLive(_ id: ReservationID, in database: PostgresPool) async throws -> Reservation {
        guard let reservation = try await self.find(id, in: database) else {
            throw Conclusion.rejected(.unknownReservation(id))
        }
        guard !reservation.status.hasEnded else {
            let message = "reservation \(id) is \(reservation.status.rawValue) already"
            throw Conclusion.rejected(Reason("reservation-ended", message))
        }
        return reservation
    }

    /// Rejects the job of a user whose reservation it is not; nothing is checked where no user asks.
    func check(isOf user: UserID?) throws(Conclusion) {
        guard let user, user.description != self.user else { return }
        throw .rejected(Reason("foreign-reservation", "reservation \(self.id) is not \(user)'s"))
    }

    /// Ends the reservation if it is live; one that has ended keeps its state.
    ///
    /// Older programs ended reservations without writing down when; that is made up for.
    func ended(as end: ReservationEnd, because reason: String?, in database: PostgresPool) async throws
        -> Reservation?
    {
        let results = try await database.pipeline([
            Self.ending(self.id, as: end, because: reason),
            """
            UPDATE reservations SET reservation_ended = coalesce(cancelled_at, failed_at, now()),
                cancelled_at = CASE status WHEN 'cancelled' THEN coalesce(cancelled_at, now()) ELSE cancelled_at END,
                failed_at = CASE status WHEN 'failed' THEN coalesce(failed_at, now()) ELSE failed_at END
            WHERE reservation_id = \(self.id.description) AND status = ANY(\(ReservationStatus.ended.texts)::text[])
                AND reservation_ended IS NULL
            """,
            Self.selection(of: self.id),
        ])
        return try results[2].rows.first.flatMap { try Reservation(self.id, $0) }
    }

    /// The one statement by which reservations end: only live ones, with the time and a line of history.
    static func ending(_ id: ReservationID, as end: ReservationEnd, because reason: String?) -> SQL {
        """
        UPDATE reservations SET status = \(end.rawValue), reservation_ended = now(),
            cancelled_at = CASE WHEN \(end == .cancelled) THEN now() ELSE cancelled_at END,
            failed_at = CASE WHEN \(end == .failed) THEN now() ELSE failed_at END,
            failure_reason = CASE WHEN \(end == .failed) THEN coalesce(\(reason), failure_reason) ELSE failure_reason END,
            status_history = coalesce(status_history, '[]') || \(StatusHistory.line(end.rawValue, reason))
        WHERE reservation_id = \(id.description) AND status = ANY(\(ReservationStatus.live.texts)::text[])
        """
    }

    private static func selection(of id: ReservationID) -> SQL {
        """
        SELECT r.user_id, r.status, coalesce(r.pod_name, \(Self.usualPod(of: id))) AS pod,
            r.pod_name IS NOT NULL AS has_pod,
            EXISTS (SELECT FROM reservations o WHERE o.reservation_id <> r.reservation_id
                AND coalesce(o.pod_name, 'gpu-dev-' || left(o.reservation_id, 8))
                    = coalesce(r.pod_name, \(Self.usualPod(of: id)))
                AND o.status = ANY(\(ReservationStatus.live.texts)::text[])) AS is_pod_shared
        FROM reservations r WHERE r.reservation_id = \(id.description)
        """
    }

    static func usualPod(of id: ReservationID) -> String { "gpu-dev-\(id.description.prefix(8))" }

    private init?(_ id: ReservationID, _ row: PostgresRow) throws {
        guard let status = ReservationStatus(rawValue: try row.read("status")) else { return nil }
        self.id = id
        self.user = try row.read("user_id")
        self.status = status
        self.pod = try row.read("pod")
        self.hasPod = try row.read("has_pod")
        self.isPodShared = try row.read("is_pod_shared")
    }
}

extension Reason {
    static func unknownReservation(_ id: ReservationID) -> Reason {
        Reason("unknown-reservation", "there is no reservation \(id)")
    }
}

extension Reservation {
    /// Whether a pod is the reservation's as far as its annotation says; one without it may be.
    func mayHave(_ pod: Pod) -> Bool { pod.annotations[PodAnnotation.user].map { $0 == self.user } ?? true }
}
