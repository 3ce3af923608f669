import FoundationEssentials
import Jobs
import Postgres

/// The progress of an operation, in the disk's row for whoever asked for it.
struct DiskOperation: Sendable {
    /// Nil if nobody follows it.
    let id: OperationID?
    let disk: Disk
    let database: PostgresPool

    /// Does the work between `in_progress` and `completed`; `failed` is written with the death of the job.
    func whole(_ work: () async throws -> Success) async throws -> Success {
        guard let id else { return try await work() }
        try await self.begin(id)
        let success = try await work()
        let completion: SQL = """
            UPDATE disks SET operation_status = 'completed', operation_error = NULL
            WHERE disk_id = \(self.disk.id) AND operation_id = \(id.uuid)
            """
        let writes = success.writes + [Write(completion)]
        return Success(subject: success.subject, data: success.data, writes: writes)
    }

    /// Ends the operation of a job that dies, whatever it dies of; one that is completed stays so.
    static func failure(of id: OperationID?, _ disk: DiskKey, because reason: Reason) -> [Write] {
        guard let id else { return [] }
        let update: SQL = """
            UPDATE disks SET operation_status = 'failed', operation_error = \(reason.message)
            WHERE user_id = \(disk.user) AND disk_name = \(disk.name)
                AND operation_id = \(id.uuid) AND operation_status IS DISTINCT FROM 'completed'
            """
        return [Write(update)]
    }

    private func begin(_ id: OperationID) async throws {
        _ = try await self.database.run(
            """
            UPDATE disks SET operation_id = \(id.uuid), operation_status = 'in_progress', operation_error = NULL
            WHERE disk_id = \(self.disk.id)
                AND (operation_id, operation_status) IS DISTINCT FROM (\(id.uuid)::uuid, 'in_progress')
            """
        )
    }
}
