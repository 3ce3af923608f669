import FoundationEssentials
import Jobs
import Platform
import Postgres

/// A reservation's hold of a disk: one at a time, and given back by its holder alone.
struct DiskHold: Sendable {
    let user: UserID
    let disk: DiskName
    let reservation: ReservationID
    let database: PostgresPool

    /// Those of reservations that may still take a disk.
    private static let liveStatuses = ["queued", "pending", "preparing", "active"]

    /// Takes the disk; a disk that the reservation holds already is taken as it is.
    ///
    /// A row that somebody else has locked is an unexpected error that is worth another attempt.
    func take() async throws -> Disk {
        let taken = try await self.database.run(
            """
            WITH free AS (
                SELECT disk_id, in_use IS NOT TRUE AS was_free FROM disks WHERE user_id = \(self.user.description)
                    AND disk_name = \(self.disk.description) FOR UPDATE NOWAIT
            )
            UPDATE disks d SET in_use = true, reservation_id = \(self.reservation.description),
                last_used = CASE WHEN d.in_use THEN d.last_used ELSE now() END
            FROM free WHERE d.disk_id = free.disk_id AND d.is_deleted IS NOT TRUE
                AND (d.in_use IS NOT TRUE OR d.reservation_id = \(self.reservation.description))
                AND EXISTS (SELECT FROM reservations r WHERE r.reservation_id = \(self.reservation.description)
                    AND r.status = ANY(\(Self.liveStatuses)::text[]) AND \(self.isReservationOfUser))
            RETURNING was_free
            """
        )
        let disk = try await Disk.find(self.user, self.disk, in: self.database)
        if let row = taken.rows.first {
            guard var disk else {
                throw Conclusion.retry(Reason("row-changed", "the disk's row has just gone"))
            }
            disk.wasFree = try row.read("was_free")
            return disk
        }
        throw try await self.refusal(disk)
    }

    /// Frees the disk; no row if the reservation does not hold it any more.
    func release(_ disk: Disk) -> SQL {
        """
        UPDATE disks SET in_use = false, reservation_id = NULL, ebs_volume_id = NULL
        WHERE disk_id = \(disk.id) AND reservation_id = \(self.reservation.description)
        """
    }

    /// Whether the disk's user has the reservation, alone or with others.
    private var isReservationOfUser: SQL { Disk.isReservation(of: self.user.description) }

    private func refusal(_ disk: Disk?) async throws -> Conclusion {
        guard let disk else { return .rejected(.unknownDisk(self.user, self.disk)) }
        if disk.isDeleted { return .rejected(.deleted(disk)) }
        if disk.isInUse, disk.holder != self.reservation.description { return .rejected(.inUse(disk)) }
        let row = try await self.database.run(
            """
            SELECT r.status, \(self.isReservationOfUser) AS is_of_user FROM reservations r
            WHERE r.reservation_id = \(self.reservation.description)
            """
        ).rows.first
        guard let status = try row?.read("status", as: String.self) else {
            return .rejected(Reason("unknown-reservation", "there is no reservation \(self.reservation)"))
        }
        guard try row?.read("is_of_user") == true else {
            let message = "reservation \(self.reservation) is neither \(self.user)'s nor shared with them"
            return .rejected(Reason("foreign-reservation", message))
        }
        guard Self.liveStatuses.contains(status) else {
            let message = "reservation \(self.reservation) is \(status) and needs no disk any more"
            return .rejected(Reason("reservation-over", message))
        }
        return .retry(Reason("row-changed", "the disk was not free a moment ago"))
    }
}
