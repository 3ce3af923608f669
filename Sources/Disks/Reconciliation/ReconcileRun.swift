import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform
import Postgres

/// Carries a plan out, step by step, and counts what came of it.
///
/// Before each change in AWS the lock is checked, and rows are written through its session. A step that fails is
/// counted and the next one follows, unless the lock or the server is lost. Shortly before the deadline the run stops
/// between two steps.
struct ReconcileRun: Sendable {
    let plan: ReconciliationPlan
    let job: JobID
    let context: JobContext
    let isDryRun: Bool
    let ec2: EC2Client
    let retention: DiskRetention
    let lock: ReconcilerLock
    var statistics: ReconcileStatistics

    /// What AWS has refused for want of permission; it is not asked again in this run.
    private var refusals: Set<String> = []

    /// What the last step may take.
    private static let reserve: Duration = .seconds(15)

    init(
        _ plan: ReconciliationPlan,
        of job: Job<ReconcileAll.Payload>,
        isDryRun: Bool,
        ec2: EC2Client,
        _ retention: DiskRetention,
        lock: ReconcilerLock
    ) {
        self.plan = plan
        self.job = job.id
        self.context = job.context
        self.isDryRun = isDryRun
        self.ec2 = ec2
        self.retention = retention
        self.lock = lock
        self.statistics = plan.statistics
        self.statistics.dry_run = isDryRun
    }

    /// Throws only what ends the whole run.
    mutating func carryOut() async throws {
        for complaint in self.plan.complaints { self.log(complaint) }
        let imported = try await self.resolveDuplicates()
        self.statistics.updated += try await self.write(self.plan.changes, DiskRows.update)
        self.statistics.created += try await self.write(self.plan.imports + imported, DiskRows.insert)
        for (volume, name) in self.plan.misnamed where self.hasTime() {
            try await self.rename(volume, to: name)
        }
        for (disk, marked) in self.plan.marked where self.hasTime() {
            try await self.unmark(marked, of: disk)
        }
        try await self.note(self.plan.doubts)
        try await self.cleanUp()
    }

    /// Whether there is time for another step; notes it if not.
    mutating func hasTime() -> Bool {
        guard self.context.remaining < Self.reserve else { return true }
        self.statistics.is_partial = true
        return false
    }

    /// Does one thing to AWS, with the lock in hand.
    ///
    /// - Returns: Whether it was done.
    /// - Throws: That the lock is lost, or the task cancelled.
    mutating func change(
        _ what: String,
        _ operation: (ContinuousClock.Instant) async throws(AWSError) -> Void
    ) async throws -> Bool {
        guard !self.isRefused(what) else { return false }
        try await self.lock.check()
        do throws(AWSError) {
            try await operation(self.context.deadline)
            return true
        } catch {
            guard error.code != .cancelled else { throw error }
            if error.code == .accessDenied { self.refusals.insert(what) }
            self.complain(Reason(error.awsCode ?? error.code.rawValue, "\(error)"))
            return false
        }
    }

    /// Whether AWS has said that this worker may not do it, and so certainly has not done it.
    func isRefused(_ what: String) -> Bool { self.refusals.contains(what) }

    /// What AWS says now; nil after a failure, which is counted.
    mutating func look<Answer>(_ read: () async throws(AWSError) -> Answer) async throws -> Answer? {
        do throws(AWSError) {
            return try await read()
        } catch {
            guard error.code != .cancelled else { throw error }
            self.complain(Reason(error.awsCode ?? error.code.rawValue, "\(error)"))
            return nil
        }
    }

    mutating func complain(_ reason: Reason) {
        self.statistics.errors += 1
        self.log(reason)
    }

    private func log(_ reason: Reason) {
        self.context.logger.warning(
            "something could not be reconciled",
            metadata: ["error.code": "\(reason.code)", "error": "\(reason.message)"]
        )
    }
}

extension ReconcileRun {
    /// How many of the rows were written.
    ///
    /// A row that the database refuses is found by halves, so that it does not stop the others.
    private mutating func write<Item: Sendable>(
        _ items: [Item],
        _ statement: ([Item]) async throws -> SQL
    ) async throws -> Int {
        guard !items.isEmpty else { return 0 }
        guard !self.isDryRun else { return items.count }
        do {
            let written = try await self.lock.session.run(try await statement(items)).affectedRows
            self.statistics.transient_skipped += items.count - written
            return written
        } catch let error as PostgresError where error.isRefusal {
            guard items.count > 1 else {
                self.complain(Reason(error.constraint ?? error.sqlState ?? error.code.rawValue, "\(error)"))
                return 0
            }
            let half = items.count / 2
            let first = try await self.write(Array(items[..<half]), statement)
            return try await first + self.write(Array(items[half...]), statement)
        }
    }

    /// Gives the volume the name that its disk has by now.
    private mutating func rename(_ volume: VolumeID, to name: String) async throws {
        guard !self.isDryRun else { return }
        let ec2 = self.ec2
        _ = try await self.change("rename") { deadline throws(AWSError) in
            try await ec2.createTags([DiskTag.disk: name], on: [volume], deadline: deadline)
        }
    }
}

extension ReconcileRun {
    /// Takes the marks of a deletion off snapshots whose disk lives, if no job is at it and it lives still.
    private mutating func unmark(_ snapshots: [SnapshotID], of disk: DiskKey) async throws {
        let rows = try await self.lock.session.run(
            """
            SELECT FROM disks d WHERE d.user_id = \(disk.user) AND d.disk_name = \(disk.name)
                AND d.is_deleted IS NOT TRUE AND NOT \(ExclusiveKey.isHeld(ExclusiveKey.disk(user: "d.user_id", name: "d.disk_name")))
            """
        ).rows
        guard !rows.isEmpty else { return self.statistics.transient_skipped += 1 }
        guard !self.isDryRun else { return self.statistics.unmarked_snapshots += snapshots.count }
        self.context.logger.notice(
            "snapshots of a disk that lives were marked for deletion",
            metadata: [
                "disk.user": "\(disk.user)", "disk.name": "\(disk.name)",
                "aws.snapshots": "\(snapshots.map(\.rawValue).joined(separator: " "))",
            ]
        )
        let ec2 = self.ec2
        let isDone = try await self.change("unmark") { deadline throws(AWSError) in
            try await ec2.unmark(snapshots, deadline: deadline)
        }
        if isDone { self.statistics.unmarked_snapshots += snapshots.count }
    }

    /// Has the rows and the log say why a disk is left alone.
    private mutating func note(_ doubts: [(disk: DiskKey, doubt: Doubt)]) async throws {
        for (disk, doubt) in doubts where self.hasTime() {
            self.context.logger.warning(
                "it is unclear where the newest data of a disk is",
                metadata: [
                    "disk.user": "\(disk.user)", "disk.name": "\(disk.name)",
                    "error.code": "\(doubt.code.rawValue)", "error": "\(doubt.message)",
                ]
            )
            guard !self.isDryRun else { continue }
            doubt.count(in: ReconcileAll.kind)
            _ = try await self.lock.session.run(
                """
                UPDATE disks SET operation_error = \(doubt.reason.description)
                WHERE user_id = \(disk.user) AND disk_name = \(disk.name)
                    AND operation_error IS DISTINCT FROM \(doubt.reason.description)
                    AND operation_status IS DISTINCT FROM 'in_progress'
                """
            )
        }
    }
}

extension PostgresError {
    /// Whether the server refuses these very rows, and may take others.
    var isRefusal: Bool { [.constraintViolation, .invalidValue, .other].contains(self.code) }
}
