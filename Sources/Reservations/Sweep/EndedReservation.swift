import FoundationEssentials
import Jobs
import Platform
import Postgres

/// A reservation that has ended and has left something behind: a name, a route, a pod or a held disk.
struct EndedReservation: Sendable {
    let id: ReservationID
    let end: ReservationEnd
    let hasName: Bool

    /// Whether it has been taken up within the hour already.
    private(set) var isTried = false

    var order: TearDownOrder { TearDownOrder(self.id, self.end) }

    /// All of them that nobody is at now, oldest first.
    ///
    /// A disk whose release has died is a person's matter: its data may not be safe. `pods` are the names of those in
    /// the cluster which no live reservation has.
    static func all(withPods pods: [String], in database: PostgresPool) async throws -> [EndedReservation] {
        let disk: SQL = ExclusiveKey.disk(user: "d.user_id", name: "d.disk_name")
        return try await database.run(
            """
            WITH remains AS (
                SELECT reservation_id, true AS is_name FROM domain_mappings
                UNION ALL SELECT reservation_id, false FROM alb_target_groups
                UNION ALL SELECT reservation_id, false FROM disks d JOIN reservations e USING (reservation_id)
                    WHERE (d.in_use OR d.ebs_volume_id IS NOT NULL)
                        AND NOT \(ExclusiveKey.isWanted(disk, by: "disk.release", orDeadSince: "e.reservation_ended"))
                UNION ALL SELECT reservation_id, false FROM reservations
                    WHERE coalesce(pod_name, 'gpu-dev-' || left(reservation_id, 8)) = ANY(\(pods)::text[])
            )
            SELECT reservation_id, r.status, bool_or(is_name) AS has_name
            FROM remains JOIN reservations r USING (reservation_id)
            WHERE r.status = ANY(\(ReservationStatus.ended.texts)::text[])
                AND NOT \(ExclusiveKey.isWanted(ExclusiveKey.reservation("reservation_id")))
            GROUP BY reservation_id, r.status, r.created_at ORDER BY r.created_at, reservation_id
            """
        ).rows.compactMap { row in
            guard let id = ReservationID(wire: try row.read("reservation_id")),
                let end = ReservationEnd(rawValue: try row.read("status"))
            else { return nil }
            return EndedReservation(id: id, end: end, hasName: try row.read("has_name"))
        }
    }

    /// The same with what the ledger knows of the job that takes each up.
    static func marked(_ ended: [EndedReservation], at now: Date, in database: PostgresPool) async throws
        -> [EndedReservation]
    {
        let jobs = ended.map { $0.order.laterJob(at: now) }
        let known = try await JobID.known(among: jobs, in: database)
        return zip(ended, jobs).map { ended, job in
            var ended = ended
            ended.isTried = known.contains(job)
            return ended
        }
    }
}
