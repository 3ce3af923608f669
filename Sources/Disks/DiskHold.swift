import FoundationEssentials
import Jobs
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
    /// A row that somebody else has locked is a surprise that is worth another try.
    func take() async throws -> Step<Disk> {
        let taken = try await self.database.run(
            """
            WITH free AS (
                SELECT disk_id FROM disks WHERE user_id = \(self.user.description)
                    AND disk_name = \(self.disk.description) FOR UPDATE NOWAIT
            )
            UPDATE disks d SET in_use = true, reservation_id = \(self.reservation.description),
                last_used = CASE WHEN d.in_use THEN d.last_used ELSE now() END
            FROM free WHERE d.disk_id = free.disk_id AND d.is_deleted IS NOT TRUE
                AND (d.in_use IS NOT TRUE OR d.reservation_id = \(self.reservation.description))
                AND EXISTS (SELECT FROM reservations WHERE reservation_id = \(self.reservation.description)
                    AND status = ANY(\(Self.liveStatuses)::text[]))
            """
        )
        let disk = try await Disk.find(self.user, self.disk, in: self.database)
        guard taken.affectedRows == 0 else {
            guard let disk else {
                return .over(.retry(Reason("row-changed", "the disk's row has just gone")))
            }
            return .done(disk)
        }
        return .over(try await self.refusal(disk))
    }

    /// Frees the disk; no row if the reservation does not hold it any more.
    func release(_ disk: Disk) -> SQL {
        """
        UPDATE disks SET in_use = false, reservation_id = NULL, ebs_volume_id = NULL
        WHERE disk_id = \(disk.id) AND reservation_id = \(self.reservation.description)
        """
    }

    private func refusal(_ disk: Disk?) async throws -> Fate {
        guard let disk else { return .rejected(.unknownDisk(self.user, self.disk)) }
        if disk.isDeleted { return .rejected(.deleted(disk)) }
        if disk.isInUse, disk.holder != self.reservation.description { return .rejected(.inUse(disk)) }
        let row = try await self.database.run(
            "SELECT status FROM reservations WHERE reservation_id = \(self.reservation.description)"
        ).rows.first
        guard let status = try row?.read("status", as: String.self) else {
            return .rejected(Reason("unknown-reservation", "there is no reservation \(self.reservation)"))
        }
        guard Self.liveStatuses.contains(status) else {
            let message = "reservation \(self.reservation) is \(status) and needs no disk any more"
            return .rejected(Reason("reservation-over", message))
        }
        return .retry(Reason("row-changed", "the disk was not free a moment ago"))
    }
}
