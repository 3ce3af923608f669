import AWS
import FoundationEssentials
import Jobs
import Postgres

/// `disk.prune-snapshots`: deletes snapshots that newer ones make superfluous, and purges what was deleted.
///
/// One listing shows what there is to do. Before anything of a disk is deleted its row and its snapshots are read again.
struct PruneSnapshots: JobHandler {
    static let kind: JobKind = "disk.prune-snapshots"

    let database: PostgresPool
    let ec2: EC2Client

    struct Payload: Decodable, DryRunPayload {
        let disk: DiskKey?
        let isDryRun: Bool

        init(from decoder: any Decoder) throws {
            let (user, disk, dryRun) = try PayloadFields(decoder).read(
                PayloadField<UserID?>.optional("user_id"),
                PayloadField<DiskName?>.optional("disk_name"),
                PayloadField<Switch?>.optional("dry_run")
            )
            guard (user == nil) == (disk == nil) else {
                let (missing, given) = user == nil ? ("user_id", "disk_name") : ("disk_name", "user_id")
                throw PayloadFaults(missing, "goes with \(given)")
            }
            self.disk = user.flatMap { user in disk.map { DiskKey(user, $0) } }
            self.isDryRun = dryRun?.isOn ?? false
        }
    }

    /// There may be hundreds to delete, and AWS takes a few a second.
    var deadline: Duration? { .seconds(300) }

    func exclusiveKey(for payload: Payload) -> String? { payload.disk?.description ?? "disk.prune-snapshots" }

    func act(on job: Job<Payload>) async throws -> Fate {
        let (payload, context) = (job.payload, job.context)
        let rows = try await self.rows(payload.disk)
        let listing = try await self.ec2.describeSnapshots(
            matching: payload.disk.map { [.tag(DiskTag.user, $0.user)] } ?? [.hasTag(DiskTag.user)],
            deadline: context.deadline
        )
        let inventory = SnapshotInventory(listing, of: rows, only: payload.disk, at: Date())
        var tally = PruningTally(inventory, isDryRun: job.isDryRun)
        guard !tally.dry_run else {
            return .success(self.success(tally.supposing(inventory), payload))
        }
        if payload.disk == nil, let refusal = inventory.refusal { return .rejected(refusal) }
        let run = PruningRun(database: self.database, ec2: self.ec2, context: context)
        try await run.mark(inventory, &tally)
        let writes = try await run.delete(inventory, &tally)
        return .success(self.success(tally, payload, writes))
    }

    private func rows(_ only: DiskKey?) async throws -> [Disk] {
        guard let only else { return try await self.database.withConnection { try await Disk.all(in: $0) } }
        return try await Disk.find(only.user, only.name, in: self.database).map { [$0] } ?? []
    }

    private func success(_ tally: PruningTally, _ payload: Payload, _ writes: [Write] = []) -> Success {
        let subject = payload.disk.map { EventSubject("disk", $0.user, $0.name) } ?? EventSubject("disks")
        return Success(subject: subject, data: tally, writes: writes)
    }
}
