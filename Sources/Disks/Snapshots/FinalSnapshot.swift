import AWS
import FoundationEssentials
import Jobs

/// The snapshot that a job takes of a volume at rest, and waits for: one, unless it ends in error.
struct FinalSnapshot: Sendable {
    let ec2: EC2Client
    let label: SnapshotLabel
    let job: JobID
    let context: JobContext

    init(of label: SnapshotLabel, for job: Job<some Any>, in ec2: EC2Client) {
        self.ec2 = ec2
        self.label = label
        self.job = job.id
        self.context = job.context
    }

    /// How soon to look again, and how long a snapshot just begun may take to show up in the list.
    static let pollInterval: Duration = .seconds(15)

    private static let mostFailures = 3

    /// The snapshot when it is complete; until then the job comes back.
    ///
    /// `earlier` are all that the disk has, read in this attempt.
    func completed(of volume: Volume, after earlier: DiskSnapshots) async throws -> Snapshot {
        let own = self.own(of: volume, among: earlier)
        if let snapshot = own.first(where: { $0.state == .completed }) { return snapshot }
        if let snapshot = own.first(where: { $0.state != .error }) { throw self.wait(for: snapshot) }
        guard own.count < Self.mostFailures else {
            let failed = own.map(\.id.rawValue).joined(separator: ", ")
            let message =
                "\(failed) of volume \(volume.id) ended in error, and nothing was deleted or freed; delete them and "
                + "replay the job to have it tried again"
            throw Conclusion.rejected(Reason("snapshot-failed", message))
        }
        guard !self.context.followsUnsettledStart else {
            let message = "an earlier start may have begun a snapshot that does not show yet"
            throw Conclusion.snooze(Self.pollInterval, Reason("start-unsettled", message))
        }
        let snapshot = try await self.ec2.createSnapshot(
            of: volume.id,
            description: self.label.description,
            operation: self.job.description,
            tags: self.label.tags(),
            deadline: self.context.deadline
        )
        guard snapshot.state == .completed else { throw self.wait(for: snapshot) }
        return snapshot
    }

    /// Those of this job, oldest first.
    private func own(of volume: Volume, among snapshots: DiskSnapshots) -> [Snapshot] {
        snapshots.all
            .filter { $0.volumeID == volume.id && $0.tags[EC2Client.operationTag] == self.job.description }
            .sorted { $0.isOlder(than: $1) }
    }

    private func wait(for snapshot: Snapshot) -> Conclusion {
        let progress = snapshot.progress.isEmpty ? "" : " (\(snapshot.progress))"
        let message = "snapshot \(snapshot.id) is not complete\(progress)"
        return .snooze(Self.pollInterval, Reason("snapshot-pending", message))
    }
}
