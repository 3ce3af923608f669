import AWS
import FoundationEssentials
import Jobs
import Postgres

/// What the disk's row tells whoever asked for an operation of how it goes.
struct DiskOperation: Sendable {
    /// Nil if nobody follows it.
    let id: OperationID?
    let disk: Disk
    let database: PostgresPool

    /// Does the work between `in_progress` and `completed` or `failed`.
    ///
    /// A refusal of AWS that no other try would change ends the operation too.
    func whole(_ work: () async throws -> Fate) async throws -> Fate {
        guard let id else { return try await work() }
        try await self.begin(id)
        do {
            return self.told(try await work(), as: id)
        } catch let error as AWSError where !error.isRetryable {
            return self.told(.rejected(Reason(error.awsCode ?? error.code.rawValue, "\(error)")), as: id)
        }
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

    private func told(_ fate: Fate, as id: OperationID) -> Fate {
        switch fate {
        case .success(let success):
            let write = Write(self.end(id, "completed", nil))
            return .success(
                Success(subject: success.subject, data: success.data, writes: success.writes + [write])
            )
        case .rejected(let reason, let writes):
            return .rejected(reason, writes: writes + [Write(self.end(id, "failed", reason.message))])
        case .retry, .snooze: return fate
        }
    }

    private func end(_ id: OperationID, _ status: String, _ error: String?) -> SQL {
        """
        UPDATE disks SET operation_status = \(status), operation_error = \(error)
        WHERE disk_id = \(self.disk.id) AND operation_id = \(id.uuid)
        """
    }
}
