import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// Statements that change many rows of `disks` at once.
///
/// A row that has changed since it was read, that another job holds or another transaction has locked is passed over;
/// what comes back are the disks that were written.
enum DiskRows {
    /// Rows that follow their volumes.
    static func update(_ changes: [RowChange]) async throws -> SQL {
        let patches = try await Self.json(changes) { Patch($0) }
        return """
            WITH patch AS (
                SELECT * FROM jsonb_to_recordset(\(patches)::jsonb) AS p(disk_id uuid, seen_volume text,
                    seen_in_use boolean, seen_holder text, ebs_volume_id text, size_gb integer, in_use boolean,
                    snapshot_count integer, pending integer, last_snapshot double precision)
            ), free AS (
                SELECT d.disk_id FROM patch p JOIN disks d USING (disk_id)
                    LEFT JOIN reservations r ON r.reservation_id = d.reservation_id
                WHERE d.ebs_volume_id IS NOT DISTINCT FROM p.seen_volume
                    AND coalesce(d.in_use, false) = p.seen_in_use
                    AND d.reservation_id IS NOT DISTINCT FROM p.seen_holder
                    AND coalesce(d.is_deleted, false) = false
                    AND (p.in_use IS DISTINCT FROM false OR d.reservation_id IS NULL AND NOT \(Disk.isBeingTaken))
                    AND NOT \(ExclusiveKey.isHeld(ExclusiveKey.disk(user: "d.user_id", name: "d.disk_name")))
                FOR UPDATE OF d SKIP LOCKED
            )
            UPDATE disks d SET
                ebs_volume_id = coalesce(p.ebs_volume_id, d.ebs_volume_id),
                size_gb = coalesce(p.size_gb, d.size_gb),
                in_use = coalesce(p.in_use, d.in_use),
                snapshot_count = coalesce(p.snapshot_count, d.snapshot_count),
                pending_snapshot_count = coalesce(p.pending, d.pending_snapshot_count),
                is_backing_up = coalesce(p.pending > 0, d.is_backing_up),
                last_snapshot_at = greatest(to_timestamp(p.last_snapshot), d.last_snapshot_at)
            FROM patch p JOIN free USING (disk_id) WHERE d.disk_id = p.disk_id
            """
    }

    /// Rows of disks whose volumes have none.
    ///
    /// A row that has appeared meanwhile stays as it is.
    static func insert(_ imports: [DiskImport]) async throws -> SQL {
        let rows = try await Self.json(imports) { Newcomer($0) }
        return """
            INSERT INTO disks (user_id, disk_name, ebs_volume_id, size_gb, in_use, created_at, reservation_id,
                snapshot_count, pending_snapshot_count, is_backing_up, last_snapshot_at)
            SELECT n.user_id, n.disk_name, n.ebs_volume_id, n.size_gb, n.in_use, to_timestamp(n.created),
                (SELECT reservation_id FROM reservations r WHERE r.reservation_id = n.reservation_id),
                coalesce(n.snapshot_count, 0), coalesce(n.pending, 0), coalesce(n.pending > 0, false),
                to_timestamp(n.last_snapshot)
            FROM jsonb_to_recordset(\(rows)::jsonb) AS n(user_id text, disk_name text, ebs_volume_id text,
                size_gb integer, in_use boolean, created double precision, reservation_id text,
                snapshot_count integer, pending integer, last_snapshot double precision)
            WHERE NOT EXISTS (SELECT FROM disks d WHERE d.ebs_volume_id = n.ebs_volume_id)
                AND NOT \(ExclusiveKey.isHeld(ExclusiveKey.disk(user: "n.user_id", name: "n.disk_name")))
            ON CONFLICT (user_id, disk_name) DO NOTHING
            """
    }

    /// An array of objects, written away from the loop.
    private static func json<Element: Sendable, Object: Encodable>(
        _ elements: [Element],
        _ object: @escaping @Sendable (Element) -> Object,
    ) async throws -> String {
        try await withTaskExecutorPreference(globalConcurrentExecutor) {
            String(decoding: try JSONEncoder().encode(elements.map(object)), as: UTF8.self)
        }
    }
}

/// A change as the statement takes it: what is absent stays.
private struct Patch: Encodable {
    let disk_id: UUID
    let seen_volume: String?
    let seen_in_use: Bool
    let seen_holder: String?
    var ebs_volume_id: String?
    var size_gb: Int?
    var in_use: Bool?
    var snapshot_count: Int?
    var pending: Int?
    /// Seconds since 1970.
    var last_snapshot: Double?

    init(_ change: RowChange) {
        self.disk_id = change.row.id
        self.seen_volume = change.row.volume?.rawValue
        self.seen_in_use = change.row.isInUse
        self.seen_holder = change.row.holder
        for change in change.changes {
            switch change {
            case .volume(let id): self.ebs_volume_id = id.rawValue
            case .size(let size): self.size_gb = size
            case .isInUse(let isInUse): self.in_use = isInUse
            case .snapshotCount(let count): self.snapshot_count = count
            case .pendingSnapshots(let count): self.pending = count
            case .lastSnapshot(let date): self.last_snapshot = date.timeIntervalSince1970
            }
        }
    }
}

/// A row to come as the statement takes it.
private struct Newcomer: Encodable {
    let user_id: String
    let disk_name: String
    let ebs_volume_id: String
    let size_gb: Int
    let in_use: Bool
    /// Seconds since 1970.
    let created: Double
    let reservation_id: String?
    let snapshot_count: Int?
    let pending: Int?
    let last_snapshot: Double?

    init(_ one: DiskImport) {
        self.user_id = one.disk.user
        self.disk_name = one.disk.name
        self.ebs_volume_id = one.volume.id.rawValue
        self.size_gb = one.volume.size
        self.in_use = one.volume.isAttached
        self.created = one.volume.createTime.timeIntervalSince1970
        self.reservation_id = one.volume.reservation
        self.snapshot_count = one.snapshots?.count
        self.pending = one.snapshots?.pending
        self.last_snapshot = one.snapshots?.newest?.timeIntervalSince1970
    }
}
