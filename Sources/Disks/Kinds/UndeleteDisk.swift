import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.undelete`: makes a deleted disk live again, as long as its day has not come.
///
/// The snapshots lose their marks first, so that a disk that lives has all its data.
struct UndeleteDisk: JobHandler {
    static let kind: JobKind = "disk.undelete"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let operation: OperationID?

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .operation
        )
    }

    struct Event: EventData {
        let user: String
        let disk: String
        let untaggedSnapshots: Int

        static let shape = EventShape<Event>(
            .owner { $0.user },
            .disk { $0.disk },
            .field("untagged_snapshots", "Snapshots from which the day was taken.") { $0.untaggedSnapshots }
        )
    }

    func exclusiveKey(for payload: Payload) -> ExclusiveKey? {
        DiskKey(payload.user, payload.disk).exclusiveKey
    }

    func writesOnDeath(of payload: Payload, because reason: Reason) -> [Write] {
        DiskOperation.failure(of: payload.operation, DiskKey(payload.user, payload.disk), because: reason)
    }

    func act(on job: Job<Payload>) async throws -> Success {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: self.database) else {
            throw Conclusion.rejected(.unknownDisk(payload.user, payload.disk))
        }
        return try await DiskOperation(id: payload.operation, disk: disk, database: self.database).whole {
            try await self.undelete(disk, job)
        }
    }
}

extension UndeleteDisk {
    private func undelete(_ disk: Disk, _ job: Job<Payload>) async throws -> Success {
        let today = Day(of: try await self.database.now())
        if let date = disk.dueDate, date <= today {
            let message = "the day of the disk \(disk.name), \(date), has come; its data may be gone already"
            throw Conclusion.rejected(Reason("delete-date-past", message))
        }
        guard !job.context.isDryRun else {
            throw Conclusion.rejected(
                Reason("dry-run", "the disk would live again now, but the worker runs dry")
            )
        }
        let deadline = job.context.deadline
        let snapshots = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        let marked = snapshots.all.filter { $0.tags[DiskTag.deleteDate] != nil }.map(\.id)
        try await self.ec2.unmark(marked, deadline: deadline)
        let kept = try await DiskSnapshots(of: disk.key, in: self.ec2, deadline: deadline)
        let revival: SQL = """
            UPDATE disks SET is_deleted = false, delete_date = NULL
            WHERE disk_id = \(disk.id)
                AND (is_deleted IS NOT TRUE OR delete_date IS NULL OR delete_date > \(today.description)::date)
            """
        let event = Event(user: disk.user, disk: disk.name, untaggedSnapshots: marked.count)
        let writes = [Write(revival, affecting: 1), Write(kept.update(of: disk))]
        return Success(subject: disk.subject, data: event, writes: writes)
    }
}

extension UndeleteDisk {
    static let documentation = KindDocumentation(
        "Take a soft delete back",
        summary: "restores a soft-deleted disk",
        "Makes a softly deleted disk live again, as long as its day has not come.",
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home"]
        ],
        authority: .init(
            sentBy: "user's own service",
            canHarm: "nothing",
            undoneBy: "`disk.delete`",
            provedBy: "row of that user and name; tags"
        ),
        event: .init(
            "A disk is live again",
            "The data of disk.undelete.completed.",
            examples: [
                ["user_id": "alice@example.com", "disk_name": "home", "untagged_snapshots": 3]
            ]
        )
    )
}
