import Postgres

extension Disk {
    /// The exclusive keys of the disks that jobs are at now.
    static func held(in session: PostgresConnection) async throws -> Set<String> {
        let rows = try await session.run(
            """
            SELECT exclusive_key FROM job_ledger
            WHERE state = 'running' AND exclusive_key LIKE 'disk:%' AND claimed_until > now()
            """
        ).rows
        return try Set(rows.map { try $0.read("exclusive_key") })
    }

    /// The condition that a job is at the disk; `user` and `name` are columns.
    static func isHeld(user: SQL, name: SQL) -> SQL {
        """
        EXISTS (SELECT FROM job_ledger l WHERE l.state = 'running' AND l.claimed_until > now()
            AND l.exclusive_key = 'disk:' || \(user) || '/' || \(name))
        """
    }
}
