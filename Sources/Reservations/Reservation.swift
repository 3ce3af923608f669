import Jobs
import Postgres

/// What matters here of a row of `reservations`.
struct Reservation: Sendable {
    let id: ReservationID
    let status: String

    /// No name and no route is made any more for one that has ended.
    var hasEnded: Bool { ["cancelled", "failed", "expired"].contains(self.status) }

    /// The reservation, or why no job can be done for it.
    static func find(_ id: ReservationID, in database: PostgresPool) async throws -> Result<
        Reservation, Refusal
    > {
        let row = try await database.run(
            "SELECT status FROM reservations WHERE reservation_id = \(id.description)"
        ).rows.first
        guard let row else {
            return .failure(Refusal("unknown-reservation", "there is no reservation \(id)"))
        }
        let reservation = Reservation(id: id, status: try row.read("status"))
        guard !reservation.hasEnded else {
            return .failure(
                Refusal("reservation-ended", "reservation \(id) is \(reservation.status) already")
            )
        }
        return .success(reservation)
    }
}
