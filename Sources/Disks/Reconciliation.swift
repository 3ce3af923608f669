import AWS
import Jobs
import Postgres

/// What comes out of reconciling one volume, as the completion event tells it.
struct Reconciliation: Encodable, Sendable {
    /// What was found, and so what was done.
    enum Outcome: String, Encodable, Sendable {
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
        let told = Reconciliation(
            self.outcome,
            VolumeID(rawValue: self.volume_id),
            row,
            changed: changes.map(\.column)
        )
        return told.success(writes: [Write(update, affecting: 1)])
    }

    /// Nulls are written, since they are part of the event's schema.
    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(self.volume_id, forKey: .volume_id)
        try fields.encode(self.user_id, forKey: .user_id)
        try fields.encode(self.disk_name, forKey: .disk_name)
        try fields.encode(self.outcome, forKey: .outcome)
        try fields.encode(self.changed, forKey: .changed)
    }

    private enum CodingKeys: String, CodingKey {
        case volume_id, user_id, disk_name, outcome, changed
    }
}
