package import Postgres

/// A schedule that an installation gets by itself, and may change or rest.
package struct DefaultSchedule: Sendable {
    package let name: String
    package let kind: JobKind
    package let every: Duration

    /// `name` is the kind's.
    package init(_ kind: JobKind, every: Duration = .seconds(300)) {
        self.name = kind.name
        self.kind = kind
        self.every = every
    }
}

extension SchedulesTable {
    /// Makes those that are not there yet, with their first run one period from now; others are left as they are.
    package func add(_ schedules: [DefaultSchedule]) async throws(PostgresError) {
        for schedule in schedules {
            let period = schedule.every.milliseconds
            _ = try await self.database.run(
                """
                INSERT INTO job_schedules (name, kind, every, next_run_at)
                SELECT \(schedule.name), \(schedule.kind.name), period, now() + period
                FROM (SELECT \(period)::bigint * interval '1 ms' AS period) p
                ON CONFLICT (name) DO NOTHING
                """
            )
        }
    }
}
