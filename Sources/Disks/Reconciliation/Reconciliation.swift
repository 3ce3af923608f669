import AWS
import Jobs
import Platform
import Postgres

/// What comes out of reconciling one volume, as the completion event reports it.
struct Reconciliation: EventData {
    /// What was found, and so what was done.
    enum Outcome: String, Sendable, CaseIterable, JSONWritable {
        case synced, updated, created, orphaned, ignored, conflict
    }

    let volume_id: String
    let user_id: String?
    let disk_name: String?
    let outcome: Outcome
    let changed: [String]

    init(_ outcome: Outcome, _ volume: VolumeID, user: String?, disk: String?, changed: [String] = []) {
        self.outcome = outcome
        self.volume_id = volume.rawValue
        self.user_id = user
        self.disk_name = disk
        self.changed = changed
    }

    init(_ outcome: Outcome, _ volume: VolumeID, _ row: Disk? = nil, changed: [String] = []) {
        self.init(outcome, volume, user: row?.user, disk: row?.name, changed: changed)
    }

    var success: Success { self.success(writes: []) }

    func success(writes: [Write]) -> Success {
        let subject =
            if let user = self.user_id, let disk = self.disk_name {
                EventSubject("disk", user, disk)
            } else {
                EventSubject("volume", self.volume_id)
            }
        return Success(subject: subject, data: self, writes: writes)
    }

    /// The same with the changes to the row, on condition that it is still as it was read.
    func changing(_ row: Disk, _ changes: [DiskChange]) -> Success {
        var update: SQL = "UPDATE disks SET "
        for (index, change) in changes.enumerated() {
            update += index == 0 ? change.assignment : ", " + change.assignment
        }
        update += """
             WHERE disk_id = \(row.id) AND ebs_volume_id IS NOT DISTINCT FROM \(row.volume?.rawValue)
                AND coalesce(in_use, false) = \(row.isInUse) AND reservation_id IS NOT DISTINCT FROM \(row.holder)
                AND coalesce(is_deleted, false) = \(row.isDeleted)
            """
        let result = Reconciliation(
            self.outcome,
            VolumeID(rawValue: self.volume_id),
            row,
            changed: changes.map(\.column)
        )
        return result.success(writes: [Write(update, affecting: 1)])
    }

    static let shape = EventShape<Reconciliation>(
        .field("volume_id", "An EBS volume.", as: VolumeID.schema) { $0.volume_id },
        .nullable("user_id", "Whose disk it is; null where unknown.", as: UserID.schema) { $0.user_id },
        .nullable(
            "disk_name",
            "The disk's name; null where unknown.",
            as: DiskName.schema
        ) { $0.disk_name },
        .field(
            "outcome",
            """
            synced: row and volume agreed; updated: the row was changed; created: a row was made; \
            orphaned: the volume is gone and its row was freed; ignored: nothing to do with this \
            volume; conflict: row and volume contradict each other and a person has to decide.
            """
        ) { $0.outcome },
        .field(
            "changed",
            "The columns of disks that were changed.",
            as: .list(of: .text(pattern: "^[a-z][a-z0-9_]*$"), unique: true)
        ) { $0.changed }
    )
}
