package import Postgres

extension JobID {
    /// Those of the jobs that the ledger has a row of, whatever became of them.
    package static func known(among jobs: [JobID], in database: PostgresPool) async throws -> Set<JobID> {
        let rows = try await database.run(
            "SELECT job_id::text AS job FROM job_ledger WHERE job_id = ANY(\(jobs.map(\.description))::text[]::uuid[])"
        ).rows
        return try Set(rows.compactMap { JobID(try $0.read("job", as: String.self)) })
    }
}
