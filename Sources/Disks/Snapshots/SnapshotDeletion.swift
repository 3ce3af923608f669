import AWS
import FoundationEssentials
import Jobs
import Postgres

/// The budget of deletions: snapshots go only as long as not too many have gone within the hour, whoever deletes them.
///
/// Each is written down before it goes, in `snapshot_deletions`; what did not go is taken out again.
struct SnapshotDeletion: Sendable {
    /// Why a snapshot goes; a closed set.
    enum Cause: String, Sendable {
        case superfluous, purged
        case safetyCopy = "safety-copy"
    }

    let snapshot: Snapshot
    let cause: Cause
    let job: JobID

    /// Writes the deletion down and answers with its number, or with nothing when the hour's budget is used up.
    func claim(_ retention: DiskRetention) -> SQL {
        """
        SELECT claim_snapshot_deletion(\(self.snapshot.id.rawValue), \(self.snapshot.disk?.user),
            \(self.snapshot.disk?.name), \(self.cause.rawValue), \(self.job), \(retention.deletionsPerHour)) AS claim
        """
    }

    /// Takes back what was claimed.
    static func withdrawal(_ claim: Int64) -> SQL { "DELETE FROM snapshot_deletions WHERE id = \(claim)" }

    /// Forgets what nobody asks for any more.
    static let cleanUp: SQL = "DELETE FROM snapshot_deletions WHERE claimed_at < now() - interval '400 days'"
}
