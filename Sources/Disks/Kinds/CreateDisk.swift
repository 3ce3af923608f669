import FoundationEssentials
import Jobs
import Platform
import Postgres

/// `disk.create`: the disk's row.
///
/// Its first volume comes with its first reservation.
struct CreateDisk: RowJobHandler {
    static let kind: JobKind = "disk.create"

    struct Payload: JobPayload {
        let user: UserID
        let disk: DiskName
        let size: DiskSize
        let operation: OperationID?

        static let shape = PayloadShape(
            Self.init,
            .owner,
            .disk,
            .optional(
                "size_gb",
                "Size of the disk's volumes in GiB. 1024 when left out.",
                default: DiskSize.usual
            ),
            .optional(
                "operation_id",
                """
                What the disk's operation_id is set to, so that whoever asked can follow the operation; \
                the job's id when left out.
                """
            )
        )
    }

    struct Event: EventData {
        let id: UUID
        let user: UserID
        let disk: DiskName
        let size: Int

        static let shape = EventShape<Event>(
            .field(
                "disk_id",
                "The disk's id, as in disks.disk_id.",
                as: .uuid
            ) { $0.id.text },
            .owner { $0.user.description },
            .disk { $0.disk.description },
            .field("size_gb", "Size of the disk's volumes in GiB.", as: DiskSize.schema) { $0.size }
        )
    }

    /// The id of the disk is that of the job, and so known before the row is.
    func record(_ job: Job<Payload>) -> Success {
        let payload = job.payload
        let insertion: SQL = """
            INSERT INTO disks (disk_id, user_id, disk_name, size_gb, operation_id, operation_status)
            VALUES (\(job.id), \(payload.user.description), \(payload.disk.description),
                \(payload.size.gibibytes), \(payload.operation?.uuid.postgresValue ?? job.id.postgresValue), 'completed')
            """
        return self.success(
            payload,
            id: job.id.uuid,
            size: payload.size.gibibytes,
            writes: [Write(insertion)]
        )
    }

    /// A disk of that name that the same operation made is this job's own work; any other is in the way.
    ///
    /// Whoever follows the operation reads so in the row that is there, unless another operation is under way.
    func resolve(_ conflict: PostgresError, of job: Job<Payload>, in database: PostgresPool) async throws
        -> Success
    {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: database) else {
            throw Conclusion.retry(
                Reason("conflict", "the row was refused, and is not there now: \(conflict)")
            )
        }
        if disk.isDeleted {
            let message = """
                \(disk.user) has deleted a disk \(disk.name) whose snapshots still carry the name; undelete it, or wait \
                until it is purged, or take another name
                """
            throw self.refused(Reason("disk-deleted", message), by: disk, job)
        }
        let isOwn = disk.operation == payload.operation?.uuid ?? job.id.uuid && disk.hasCompletedOperation
        guard isOwn || disk.id == job.id.uuid else {
            let message = "\(disk.user) has a disk \(disk.name) already; take another name"
            throw self.refused(Reason("disk-exists", message), by: disk, job)
        }
        return self.success(payload, id: disk.id, size: disk.size ?? payload.size.gibibytes)
    }

    private func refused(_ reason: Reason, by disk: Disk, _ job: Job<Payload>) -> Conclusion {
        guard let operation = job.payload.operation else { return .rejected(reason) }
        let failure: SQL = """
            UPDATE disks SET operation_id = \(operation.uuid), operation_status = 'failed',
                operation_error = \(reason.message)
            WHERE disk_id = \(disk.id) AND operation_status IS DISTINCT FROM 'in_progress'
            """
        return .rejected(reason, writes: [Write(failure)])
    }

    private func success(_ payload: Payload, id: UUID, size: Int, writes: [Write] = []) -> Success {
        Success(
            subject: EventSubject("disk", payload.user.description, payload.disk.description),
            data: Event(id: id, user: payload.user, disk: payload.disk, size: size),
            writes: writes
        )
    }
}

extension CreateDisk {
    static let documentation = KindDocumentation(
        "Create a disk",
        summary: "makes the disk's row",
        """
        Makes the row of a disk. The disk has no volume and no snapshot until a reservation uses it. A \
        disk that exists already, or that is deleted but not yet purged, makes the job dead (rejected).
        """,
        examples: [
            ["user_id": "alice@example.com", "disk_name": "home"],
            [
                "user_id": "alice@example.com",
                "disk_name": "training-data",
                "size_gb": 100,
                "operation_id": "0b5f2a64-3f0e-4c5c-9d4b-5f3a0a6f1e77",
            ],
        ],
        authority: .init(
            sentBy: "platform",
            canHarm: "nothing: a row",
            undoneBy: "`disk.delete`",
            provedBy: "new name of that user"
        ),
        event: .init(
            "A disk was created",
            "The data of disk.create.completed.",
            examples: [
                [
                    "disk_id": "3d2f1c0b-5a49-4e38-8726-1504f3e2d1c0",
                    "user_id": "alice@example.com",
                    "disk_name": "home",
                    "size_gb": 1024,
                ]
            ]
        )
    )
}
