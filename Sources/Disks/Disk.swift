import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// A row of `disks`, with what matters about the reservation that holds it.
struct Disk: Sendable {
    let id: UUID
    let user: String
    let name: String
    let size: Int?
    let volume: VolumeID?
    let isInUse: Bool
    let isDeleted: Bool
    let isBackingUp: Bool
    /// The day from which the data of a deleted disk may be purged.
    let deleteDate: Day?
    let snapshotCount: Int
    let lastSnapshot: Date?
    var lastUsed: Date?
    let holder: String?
    let operation: UUID?
    let hasCompletedOperation: Bool

    /// Whether a live reservation holds the disk, or has just taken it: its volume may not be attached yet.
    let isBeingTaken: Bool

    /// Whether nobody held the disk until this very attempt took it.
    var wasFree = false

    /// The status of the reservation that holds the disk; nil if there is no such reservation.
    var holderStatus: String?

    /// The volume that the holder was given.
    var handedOutVolume: VolumeID?

    /// When the deletion was recorded in PostgreSQL.
    var markedDeleted: Date?

    /// Whether a reservation has the disk, and is to have it released.
    var isHeld: Bool { self.isInUse && self.holder != nil }

    /// Whether the reservation that holds the disk needs it no more; one that does not exist needs nothing.
    var isHolderOver: Bool { self.holderStatus.map { Self.finalStatuses.contains($0) } ?? true }

    /// The statuses in which a reservation has ended.
    private static let finalStatuses = ["cancelled", "failed", "expired"]

    var key: DiskKey { DiskKey(user: self.user, name: self.name) }

    var subject: EventSubject { EventSubject("disk", self.user, self.name) }
}

extension Disk {
    static func find(_ user: UserID, _ name: DiskName, in database: PostgresPool) async throws -> Disk? {
        try await self.find(user.description, name.description, in: database)
    }

    static func find(_ user: String, _ name: String, in database: PostgresPool) async throws -> Disk? {
        try await self.first("WHERE d.user_id = \(user) AND d.disk_name = \(name)", in: database)
    }

    /// Rows of live disks come before those of deleted ones.
    static func find(volume: VolumeID, in database: PostgresPool) async throws -> Disk? {
        try await self.first(
            "WHERE d.ebs_volume_id = \(volume.rawValue) ORDER BY d.is_deleted NULLS FIRST LIMIT 1",
            in: database
        )
    }

    /// Every row, read away from the loop of the session.
    static func all(in session: PostgresConnection) async throws -> [Disk] {
        let rows = try await session.run(Self.query).rows
        return try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try rows.map { try Disk($0) }
        }
    }

    private static func first(_ condition: SQL, in database: PostgresPool) async throws -> Disk? {
        try await database.run(Self.query + " " + condition).rows.first.map { try Disk($0) }
    }

    private static let query: SQL = """
        SELECT d.disk_id, d.user_id, d.disk_name, d.size_gb, d.ebs_volume_id, d.reservation_id, d.operation_id,
            coalesce(d.in_use, false) AS in_use, coalesce(d.is_deleted, false) AS is_deleted,
            coalesce(d.is_backing_up, false) AS is_backing_up, coalesce(d.snapshot_count, 0) AS snapshot_count,
            d.delete_date::text AS delete_date, d.last_snapshot_at, d.last_used,
            coalesce(d.operation_status = 'completed', false) AS has_completed_operation,
            r.status AS holder_status, r.ebs_volume_id AS handed_out_volume, d.marked_deleted_at,
            \(isBeingTaken) AS is_being_taken
        FROM disks d LEFT JOIN reservations r USING (reservation_id)
        """

    /// The condition of `isBeingTaken`, with `d` for the disk and `r` for its reservation.
    static let isBeingTaken: SQL = """
        (coalesce(r.status IN ('pending', 'preparing', 'active'), false)
            OR coalesce(d.in_use AND d.last_used > now() - interval '15 min', false))
        """

    private init(_ row: PostgresRow) throws {
        self.id = try row.read("disk_id")
        self.user = try row.read("user_id")
        self.name = try row.read("disk_name")
        self.size = try row.readOptional("size_gb")
        self.volume = try row.readOptional("ebs_volume_id", as: String.self).map { VolumeID(rawValue: $0) }
        self.isInUse = try row.read("in_use")
        self.isDeleted = try row.read("is_deleted")
        self.isBackingUp = try row.read("is_backing_up")
        self.deleteDate = try row.readOptional("delete_date", as: String.self).flatMap { Day(wire: $0) }
        self.snapshotCount = try row.read("snapshot_count")
        self.lastSnapshot = try row.readOptional("last_snapshot_at")
        self.lastUsed = try row.readOptional("last_used")
        self.holder = try row.readOptional("reservation_id")
        self.operation = try row.readOptional("operation_id")
        self.hasCompletedOperation = try row.read("has_completed_operation")
        self.isBeingTaken = try row.read("is_being_taken")
        self.holderStatus = try row.readOptional("holder_status")
        self.handedOutVolume = try row.readOptional("handed_out_volume", as: String.self)
            .map { VolumeID(rawValue: $0) }
        self.markedDeleted = try row.readOptional("marked_deleted_at")
    }
}

extension Disk {
    /// Whether a user has the reservation `r`, alone or with others.
    static func isReservation(of user: String) -> SQL {
        "(r.user_id = \(user) OR coalesce(r.secondary_users @> to_jsonb(\(user)::text), false))"
    }
}
