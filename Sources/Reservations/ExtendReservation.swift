import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `reservation.extend`: a later end for a reservation, within 48 hours of its launch.
///
/// Host name and route get the new end with it, and the warnings before the end begin anew. The end is a time and not a
/// number of hours, so that a repetition changes nothing.
struct ExtendReservation: JobHandler {
    static let kind: JobKind = "reservation.extend"

    let database: PostgresPool

    struct Payload: JobPayload {
        let reservation: ReservationID
        let end: Moment
        let user: UserID?

        static let shape = PayloadShape(
            Self.init,
            .reservation,
            .required(
                "expires_at",
                "The new end, RFC 3339 with an offset; at most 48 hours after the reservation's launch."
            ),
            .optional("user_id", "Whose reservation it must be, where a user asks.")
        )
    }

    struct Event: EventData {
        let reservation: ReservationID
        let end: Date
        let isChanged: Bool

        static let shape = EventShape<Event>(
            .reservation { $0.reservation.description },
            .field("expires_at", "When the reservation ends now.", as: Moment.schema) { $0.end.rfc3339 },
            .field("changed", "False if that was its end already; then nothing was changed.") { $0.isChanged }
        )
    }

    /// How long a reservation may take in all, in seconds.
    private static let longestReservation: TimeInterval = 48 * 3600

    /// Times closer than this, in seconds, are the same.
    private static let clockGrain: TimeInterval = 0.001

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? { .reservation(payload.reservation) }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        let reservation = try await Reservation.findLive(payload.reservation, in: self.database)
        try reservation.check(isOf: payload.user)
        let term = try await Term.find(reservation.id, in: self.database)
        guard let term, let end = term.end, [.active, .preparing].contains(reservation.status) else {
            let message = "reservation \(reservation.id) has not been launched, so it has no end to be moved"
            throw Conclusion.rejected(Reason("reservation-not-launched", message))
        }
        let wanted = payload.end.date
        guard abs(wanted.timeIntervalSince(end)) >= Self.clockGrain else {
            return self.success(reservation, end: end, isChanged: false)
        }
        if let refusal = Self.refusal(of: wanted, term, end) { throw Conclusion.rejected(refusal) }
        return self.success(
            reservation,
            end: wanted,
            isChanged: true,
            Self.writes(reservation, from: end, to: wanted)
        )
    }
}

extension ExtendReservation {
    /// How long a reservation lasts, as its row says, and PostgreSQL's time.
    private struct Term: Sendable {
        let launch: Date
        let end: Date?
        let now: Date

        static func find(_ reservation: ReservationID, in database: PostgresPool) async throws -> Term? {
            let row = try await database.run(
                """
                SELECT coalesce(launched_at, created_at) AS launch, expires_at, now() AS now FROM reservations
                WHERE reservation_id = \(reservation.description)
                """
            ).rows.first
            return try row.map {
                Term(
                    launch: try $0.read("launch"),
                    end: try $0.readOptional("expires_at"),
                    now: try $0.read("now")
                )
            }
        }
    }

    private static func refusal(of wanted: Date, _ term: Term, _ end: Date) -> Reason? {
        guard wanted > end else {
            return Reason(
                "expiry-earlier",
                "the reservation ends at \(end.rfc3339) already; name a later time"
            )
        }
        guard wanted > term.now else {
            return Reason("expiry-past", "\(wanted.rfc3339) is over; name a time that is to come")
        }
        let latest = term.launch.addingTimeInterval(Self.longestReservation)
        guard wanted <= latest else {
            let message =
                "a reservation takes at most 48 hours, so this one ends at \(latest.rfc3339) at the latest"
            return Reason("too-long", message)
        }
        return nil
    }

    /// Nothing is changed if the reservation has ended, or its end was moved, since it was read.
    private static func writes(_ reservation: Reservation, from end: Date, to wanted: Date) -> [Write] {
        let id = reservation.id.description
        let note = "extended until \(wanted.rfc3339)"
        return [
            Write(
                """
                UPDATE reservations SET expires_at = \(wanted), warnings_sent = '{}', last_warning_time = NULL, warning = NULL,
                    duration_hours = duration_hours + \(wanted.timeIntervalSince(end) / 3600),
                    status_history = coalesce(status_history, '[]')
                        || \(StatusHistory.line(reservation.status.rawValue, note))
                WHERE reservation_id = \(id) AND status = \(reservation.status.rawValue) AND expires_at = \(end)
                """,
                affecting: 1
            ),
            Write("UPDATE domain_mappings SET expires_at = \(wanted) WHERE reservation_id = \(id)"),
            Write("UPDATE alb_target_groups SET expires_at = \(wanted) WHERE reservation_id = \(id)"),
        ]
    }

    private func success(_ reservation: Reservation, end: Date, isChanged: Bool, _ writes: [Write] = [])
        -> Success
    {
        Success(
            subject: reservation.subject,
            data: Event(reservation: reservation.id, end: end, isChanged: isChanged),
            writes: writes
        )
    }
}

extension ExtendReservation {
    static let documentation = KindDocumentation(
        "Extend a reservation",
        summary: "moves the end of a reservation, within 48 hours of its launch",
        """
        Gives a reservation that has been launched a later end, and host name and route with it; the warnings before \
        the end begin anew. An end that is earlier, over, or more than 48 hours after the launch makes the job dead \
        (rejected), and so does a reservation that has ended.
        """,
        examples: [
            [
                "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                "expires_at": "2026-05-01T20:00:00Z",
                "user_id": "alice@example.com",
            ]
        ],
        authority: .init(
            sentBy: "user's own service",
            canHarm: "nothing: a machine is kept for longer",
            undoneBy: "`reservation.tear-down`",
            provedBy: "row of the reservation; `user_id` where it is given"
        ),
        event: .init(
            "A reservation ends later",
            "The data of reservation.extend.completed.",
            examples: [
                [
                    "reservation_id": "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11",
                    "expires_at": "2026-05-01T20:00:00Z",
                    "changed": true,
                ]
            ]
        )
    )
}
