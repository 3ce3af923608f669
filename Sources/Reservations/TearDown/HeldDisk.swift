import FoundationEssentials
import Jobs
import Platform
import Postgres

/// The disk that a reservation holds, which nobody else can have until it is released.
struct HeldDisk: Sendable {
    let user: String
    let name: String

    /// The `disk.release` that is at it already.
    let release: UUID?

    /// Nil if the reservation holds none, whoever holds the disk that it asked for.
    static func find(_ reservation: ReservationID, in database: PostgresPool) async throws -> HeldDisk? {
        let row = try await database.run(
            """
            SELECT d.user_id, d.disk_name, (\(Self.releaseUnderWay)) AS release
            FROM disks d WHERE d.reservation_id = \(reservation.description)
                AND (d.in_use OR d.ebs_volume_id IS NOT NULL) ORDER BY d.disk_name LIMIT 1
            """
        ).rows.first
        return try row.map { row in
            HeldDisk(
                user: try row.read("user_id"),
                name: try row.read("disk_name"),
                release: try row.readOptional("release")
            )
        }
    }

    private static let releaseUnderWay = ExclusiveKey.job(
        with: ExclusiveKey.disk(user: "d.user_id", name: "d.disk_name"),
        of: "disk.release"
    )
}
