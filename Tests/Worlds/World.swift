import Foundation
import Jobs
import Logging
import Platform
import Postgres
import Synchronization

/// A world that a history happens to: what users wrote, what AWS and PostgreSQL have, what jobs make of it.
final class World {
    /// What disks can be called.
    static let names = ["home", "work", "lab"]
    static let zones = ["eu-west-1a", "eu-west-1b"]

    let place: Place
    /// The disks by the names that they have now.
    private(set) var disks = [
        DiskName("alice", "home"), DiskName("alice", "work"), DiskName("bob", "home"),
    ]
    /// The newest version that was written to each disk.
    var written: [DiskName: Int] = [:]
    /// Who uses a disk now.
    var holders: [DiskName: Holder] = [:]
    /// Jobs that wait for their next attempt.
    var open: [OpenJob] = []
    /// Why jobs that work on a disk were refused for good.
    var refusals: [DiskName: Set<String>] = [:]
    private(set) var trace: [String] = []
    private var serial = 0

    struct Holder {
        let reservation: String
        var volume: String
        /// The disk's snapshots when it was taken.
        let earlier: Set<String>
        /// What was written since the disk was taken; nil if nothing.
        var version: Int?
    }

    struct OpenJob {
        let id: JobID
        let kind: String
        let body: String
        let disk: DiskName?
        let reservation: String?
        /// Since its first snooze after an attempt; nil if it has not been put off.
        var waited: Duration?
        var isUnsettled = false
        var tries = 0
        /// What there was when it made a volume.
        var basis: Basis?
    }

    struct Basis {
        let rows: [DiskName: Row]
        let model: AWSModel
    }

    struct Row {
        let volume: String?
        let isInUse: Bool
        let isDeleted: Bool
        let holder: String?
        let snapshotCount: Int
        let lastSnapshot: Date?
        let isDue: Bool
        let hasHolderEnded: Bool
        /// Why the disk is left to a person.
        let error: String?
    }

    init(in place: Place) { self.place = place }

    /// Lets all of it happen, and then enough time pass; throws the first violation.
    func live(_ steps: [Step]) async throws {
        self.place.complaints.clear()
        self.place.peer.model.withLock { $0 = AWSModel() }
        // Cheaper than TRUNCATE, which makes new files.
        _ = try await self.place.database.pipeline([
            "DELETE FROM disks", "DELETE FROM reservations", "DELETE FROM job_attempts",
            "DELETE FROM job_ledger",
            "DELETE FROM outbox", "DELETE FROM snapshot_deletions",
        ])
        self.addOthers()
        for step in steps {
            self.note("\(step)")
            try await self.happen(step)
        }
        try await self.settle()
    }

    func note(_ line: String) { self.trace.append(line) }

    /// A volume and a snapshot that are nobody's.
    private func addOthers() {
        self.place.peer.model.withLock { model in
            let (volume, snapshot) = (model.newID("vol"), model.newID("snap"))
            model.volumes[volume] = AWSModel.Volume(
                id: volume,
                zone: Self.zones[0],
                size: 8,
                snapshot: nil,
                created: Date(),
                tags: ["Name": "database"],
                owner: nil,
                version: 1
            )
            model.snapshots[snapshot] = AWSModel.Snapshot(
                id: snapshot,
                volume: volume,
                state: "completed",
                size: 8,
                begun: Date(),
                end: Date(),
                endState: "completed",
                description: "",
                tags: [:],
                owner: nil,
                version: 1
            )
        }
    }

    /// A disk has another name: whatever is known of it is known by that.
    func rename(_ disk: DiskName, to name: DiskName) {
        for position in self.disks.indices where self.disks[position] == disk {
            self.disks[position] = name
        }
        self.written[name] = self.written.removeValue(forKey: disk)
        self.holders[name] = self.holders.removeValue(forKey: disk)
        self.refusals[name] = self.refusals.removeValue(forKey: disk)
        if self.place.complaints.concern(disk) { self.place.complaints.add(name) }
        self.place.peer.model.withLock { $0.rename(disk, to: name) }
    }

    func nextUUID() -> String {
        self.serial += 1
        let digits = String(self.serial, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits + "-0000-4000-8000-000000000000"
    }

    @discardableResult
    func run(_ statement: SQL) async throws -> PostgresResult { try await self.place.database.run(statement) }

    func row(_ disk: DiskName) async throws -> Row? { try await self.rows()[disk] }

    func rows() async throws -> [DiskName: Row] {
        try Self.rows(of: try await self.run(Self.selectionOfRows))
    }

    static let selectionOfRows: SQL = """
        SELECT d.user_id, d.disk_name, d.ebs_volume_id, coalesce(d.in_use, false) AS in_use,
            coalesce(d.is_deleted, false) AS is_deleted, d.reservation_id,
            coalesce(d.snapshot_count, 0) AS snapshot_count, d.last_snapshot_at, d.operation_error,
            coalesce(d.is_deleted AND d.delete_date <= (now() AT TIME ZONE 'UTC')::date
                AND d.marked_deleted_at <= now() - interval '7 days', false) AS is_due,
            coalesce(r.status IN ('cancelled', 'failed', 'expired'), false) AS has_ended
        FROM disks d LEFT JOIN reservations r USING (reservation_id)
        """

    static func rows(of result: PostgresResult) throws -> [DiskName: Row] {
        var found: [DiskName: Row] = [:]
        for row in result.rows {
            let disk = DiskName(try row.read("user_id"), try row.read("disk_name"))
            found[disk] = Row(
                volume: try row.readOptional("ebs_volume_id"),
                isInUse: try row.read("in_use"),
                isDeleted: try row.read("is_deleted"),
                holder: try row.readOptional("reservation_id"),
                snapshotCount: try row.read("snapshot_count"),
                lastSnapshot: try row.readOptional("last_snapshot_at"),
                isDue: try row.read("is_due"),
                hasHolderEnded: try row.read("has_ended"),
                error: try row.readOptional("operation_error")
            )
        }
        return found
    }

    /// Moves all times into the past, after other statements.
    func advance(minutes: Double = 0, days: Int = 0, after statements: [SQL] = []) async throws {
        let seconds = minutes * 60 + Double(days) * 86_400
        self.place.peer.model.withLock { $0.advance(seconds, days: days) }
        for position in self.open.indices {
            if let waited = self.open[position].waited {
                self.open[position].waited = waited + .seconds(seconds)
            }
        }
        _ = try await self.place.database.pipeline(
            statements + [
                """
                UPDATE disks SET last_used = last_used - make_interval(secs => \(seconds)),
                    last_snapshot_at = last_snapshot_at - make_interval(secs => \(seconds)),
                    created_at = created_at - make_interval(secs => \(seconds)), delete_date = delete_date - \(days)::int,
                    marked_deleted_at = marked_deleted_at - make_interval(secs => \(seconds))
                """,
                """
                UPDATE reservations SET created_at = created_at - make_interval(secs => \(seconds)),
                    launched_at = launched_at - make_interval(secs => \(seconds)),
                    expires_at = expires_at - make_interval(secs => \(seconds)),
                    reservation_ended = reservation_ended - make_interval(secs => \(seconds))
                """,
                """
                UPDATE job_ledger SET created_at = created_at - make_interval(secs => \(seconds)),
                    finished_at = finished_at - make_interval(secs => \(seconds))
                """,
                // The id of a job that resumes a teardown has the hour in it.
                """
                UPDATE job_ledger SET job_id = gen_random_uuid()
                WHERE \(seconds)::float8 >= 3600 AND kind = 'reservation.tear-down' AND state IN ('succeeded', 'dead')
                """,
                """
                UPDATE snapshot_deletions SET claimed_at = claimed_at - make_interval(secs => \(seconds))
                """,
            ]
        )
    }
}
