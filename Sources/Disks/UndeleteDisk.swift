import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `disk.undelete`: makes a deleted disk live again, as long as its day has not come.
///
/// The snapshots lose their marks first, so that a disk that lives has all its data.
struct UndeleteDisk: JobHandler {
    static let kind: JobKind = "disk.undelete"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, Sendable {
        let user: UserID
        let disk: DiskName
        let operation: OperationID?

        init(from decoder: any Decoder) throws {
            let (user, disk, operation) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<OperationID?>.optional("operation_id")
            )
            self.user = user
            self.disk = disk
            self.operation = operation
        }
    }

    private struct Undeleted: Encodable, Sendable {
        let user_id: String
        let disk_name: String
        let untagged_snapshots: Int
    }

    func exclusiveKey(for payload: Payload) -> String? {
        DiskKey(payload.user, payload.disk).description
    }

    func act(on job: Job<Payload>) async throws -> Fate {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            return .rejected(.unknownDisk(payload.user, payload.disk))
        }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            try await self.undelete(disk, job)
        }
    }
}

extension UndeleteDisk {
    private func undelete(_ disk: Disk, _ job: Job<Payload>) async throws -> Fate {
        if let date = disk.dueDate, date <= .today {
            let message = "the day of the disk \(disk.name), \(date), has come; its data may be gone already"
            return .rejected(Reason("delete-date-past", message))
        }
        guard !job.context.isDryRun else {
            return .rejected(Reason("dry-run", "the disk would live again now, but the worker runs dry"))
        }
        let deadline = job.context.deadline
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        let marked = snapshots.all.filter { $0.tags[DiskTag.deleteDate] != nil }.map(\.id)
        try await self.ec2.deleteTags(
            [DiskTag.deleteDate, DiskTag.markedDeletedAt],
            from: marked,
            deadline: deadline
        )
        let kept = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        let revival: SQL = """
            UPDATE disks SET is_deleted = false, delete_date = NULL
            WHERE disk_id = \(disk.id)
                AND (is_deleted IS NOT TRUE OR delete_date IS NULL OR delete_date > \(Day.today.description)::date)
            """
        let told = Undeleted(user_id: disk.user, disk_name: disk.name, untagged_snapshots: marked.count)
        let writes = [Write(revival, affecting: 1), Write(kept.update(of: disk))]
        return .success(Success(subject: disk.subject, data: told, writes: writes))
    }
}
