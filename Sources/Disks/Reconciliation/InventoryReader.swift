import AWS
import FoundationEssentials
import Jobs
import Logging
import Platform
import Postgres

/// Reads what a run of the reconciliation has to decide on.
///
/// Volumes first and rows last: a row that was written meanwhile must not look as if its volume were missing. Whatever
/// cannot be read ends the run, but for the snapshots, which the rest does not need.
struct InventoryReader: Sendable {
    let ec2: EC2Client
    let scope: SnapshotCensus.Scope
    let job: JobContext

    func read(in session: PostgresConnection, at now: Date) async throws -> Inventory {
        let volumes = try await self.ec2.describeVolumes(
            matching: [.hasTag(DiskTag.user)],
            deadline: self.job.deadline
        )
        let snapshots = await self.snapshots(of: volumes)
        let held = try await ExclusiveKey.held(in: session)
        let rows = try await Disk.all(in: session)
        var inventory = Inventory(
            rows: rows,
            heldDisks: held,
            volumes: volumes,
            snapshots: snapshots,
            now: now
        )
        let doubts = inventory.volumesInDoubt
        do throws(AWSError) {
            inventory.add(try await self.ec2.describeVolumes(existing: doubts, deadline: self.job.deadline))
        } catch {
            self.warn("volumes could not be looked up", error)
            inventory.leaveOpen(doubts)
        }
        return inventory
    }

    private func snapshots(of volumes: [Volume]) async -> SnapshotCensus? {
        do throws(AWSError) {
            let all = try await self.ec2.describeSnapshots(
                matching: [.hasTag(DiskTag.user)],
                deadline: self.job.deadline
            )
            let counted =
                switch self.scope {
                case .disk: all
                case .volume: try await self.snapshots(ofEach: volumes.map(\.id))
                }
            return await self.census(counted, all)
        } catch {
            self.warn("snapshots could not be read", error)
            return nil
        }
    }

    private func census(_ snapshots: [Snapshot], _ all: [Snapshot]) async -> SnapshotCensus {
        let scope = self.scope
        return await withTaskExecutorPreference(globalConcurrentExecutor) {
            SnapshotCensus(snapshots, scope: scope, ofDisks: all)
        }
    }

    private func snapshots(ofEach volumes: [VolumeID]) async throws(AWSError) -> [Snapshot] {
        var snapshots: [Snapshot] = []
        for some in volumes.inChunks(of: Filter.mostValues) {
            snapshots += try await self.ec2.describeSnapshots(
                matching: [.volumes(some), .status("pending", "completed")],
                deadline: self.job.deadline
            )
        }
        return snapshots
    }

    private func warn(_ message: Logger.Message, _ error: AWSError) {
        self.job.logger.warning(
            message,
            metadata: ["error.code": "\(error.awsCode ?? error.code.rawValue)", "error": "\(error)"]
        )
    }
}

extension EC2Client {
    /// The volumes of these ids that exist, whatever their tags.
    ///
    /// By a filter, which leaves out what does not exist: naming it would fail the whole call.
    func describeVolumes(
        existing ids: [VolumeID],
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> [Volume] {
        var volumes: [Volume] = []
        for some in ids.inChunks(of: Filter.mostValues) {
            volumes += try await self.describeVolumes(matching: [.volumes(some)], deadline: deadline)
        }
        return volumes
    }
}
