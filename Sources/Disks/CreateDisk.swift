import FoundationEssentials
import Jobs
import Postgres

/// `disk.create`: the disk's row.
///
/// Its first volume comes with its first reservation.
struct CreateDisk: RowJobHandler {
    static let kind: JobKind = "disk.create"

    struct Payload: Decodable, Sendable {
        let user: UserID
        let disk: DiskName
        let size: DiskSize
        let operation: OperationID?

        init(from decoder: any Decoder) throws {
            let (user, disk, size, operation) = try PayloadFields(decoder).read(
                PayloadField<UserID>.required("user_id"),
                PayloadField<DiskName>.required("disk_name"),
                PayloadField<DiskSize?>.optional("size_gb"),
                PayloadField<OperationID?>.optional("operation_id")
            )
            self.user = user
            self.disk = disk
            self.size = size ?? .usual
            self.operation = operation
        }
    }

    private struct Created: Encodable, Sendable {
        let disk_id: String
        let user_id: String
        let disk_name: String
        let size_gb: Int
    }

    /// The id of the disk is that of the job, and so known before the row is.
    func record(_ job: Job<Payload>) -> Success {
        let payload = job.payload
        let insertion: SQL = """
            INSERT INTO disks (disk_id, user_id, disk_name, size_gb, operation_id, operation_status)
            VALUES (\(job.id), \(payload.user.description), \(payload.disk.description),
                \(payload.size.gibibytes), \(payload.operation?.uuid ?? job.id.uuid), 'completed')
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
        -> Fate
    {
        let payload = job.payload
        guard let disk = try await Disk.find(payload.user, payload.disk, in: database) else {
            return .retry(Reason("conflict", "the row was refused, and is not there now: \(conflict)"))
        }
        if disk.isDeleted {
            let message = """
                \(disk.user) has deleted a disk \(disk.name) whose snapshots still carry the name; undelete it, or wait \
                until it is purged, or take another name
                """
            return self.refused(Reason("disk-deleted", message), by: disk, job)
        }
        let isOwn = disk.operation == payload.operation?.uuid ?? job.id.uuid && disk.hasCompletedOperation
        guard isOwn || disk.id == job.id.uuid else {
            let message = "\(disk.user) has a disk \(disk.name) already; take another name"
            return self.refused(Reason("disk-exists", message), by: disk, job)
        }
        return .success(self.success(payload, id: disk.id, size: disk.size ?? payload.size.gibibytes))
    }

    private func refused(_ reason: Reason, by disk: Disk, _ job: Job<Payload>) -> Fate {
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
            data: Created(
                disk_id: id.uuidString.lowercased(),
                user_id: payload.user.description,
                disk_name: payload.disk.description,
                size_gb: size
            ),
            writes: writes
        )
    }
}
