import AWS
import Jobs
import Platform
import Postgres

/// What is known of a reservation's route: its row of `alb_target_groups`.
///
/// The row is written before the first call to AWS and removed after the last, so that nothing is ever there that
/// nobody knows of.
struct RouteClaim: Sendable {
    /// The short host name.
    let host: String
    let group: ResourceARN?
    let rule: ResourceARN?

    static func find(_ reservation: ReservationID, in database: PostgresPool) async throws -> RouteClaim? {
        let row = try await database.run(
            """
            SELECT domain_name, jupyter_target_group_arn, jupyter_rule_arn FROM alb_target_groups
            WHERE reservation_id = \(reservation.description)
            """
        ).rows.first
        return try row.map { row in
            RouteClaim(
                host: try row.read("domain_name"),
                group: try row.readOptional("jupyter_target_group_arn", as: String.self)
                    .map { ResourceARN(rawValue: $0) },
                rule: try row.readOptional("jupyter_rule_arn", as: String.self)
                    .map { ResourceARN(rawValue: $0) }
            )
        }
    }

    static func removal(of reservation: ReservationID) -> Write {
        Write("DELETE FROM alb_target_groups WHERE reservation_id = \(reservation.description)")
    }
}
