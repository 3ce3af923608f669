import AWS
import FoundationEssentials
import Jobs
import Platform
import Postgres

/// Where the newest complete state of a disk is: in a volume, in a snapshot, or nowhere yet.
///
/// The one answer that restore, release, reconciliation, the choice between duplicates and pruning go by. It is made
/// from the volumes, the snapshots and the row and from nothing else. Where these disagree it is unclear, and then
/// nothing is deleted or handed out until a person or a fact decides. A person decides with the tag `gpu-dev-newest`
/// on the volume or the snapshot that is right, or by correcting the row.
///
/// Marks of a deletion on snapshots do not count here: it is the row that says whether a disk lives.
struct NewestState: Sendable {
    enum Finding: Sendable {
        case volume(Volume)
        case snapshot(Snapshot)
        /// There was never anything to keep.
        case nothing
        /// A snapshot that is not complete yet, and may hold newer data than any other.
        case pending(Snapshot)
        case unclear(Doubt)
    }

    /// What the answer is for.
    enum Purpose: Sendable {
        /// A reservation is to work on.
        case handingOut
        /// A disk is to be given up by its holder.
        case release
        /// Older data is to be deleted.
        case pruning
    }

    let finding: Finding

    /// - Parameters:
    ///   - row: The disk's row.
    ///   - volumes: Its volumes.
    ///   - snapshots: Its snapshots, of any state, in any order.
    ///   - reservation: Whose volume counts before others; nil if nobody's.
    ///   - job: The job that asks: a snapshot that it has taken of a volume at rest is as new as can be.
    init(
        of row: Disk,
        _ volumes: DiskVolumes,
        _ snapshots: DiskSnapshots,
        for purpose: Purpose,
        of reservation: ReservationID? = nil,
        job: JobID? = nil,
    ) {
        switch volumes.current(of: reservation, row) {
        case .unclear: self.finding = .unclear(.severalVolumes(volumes.live))
        case .one(let volume) where volumes.isDisputed(volume, of: reservation, row):
            self.finding = .unclear(.disputedVolume(volume))
        case .one(let volume):
            if let newer = Self.snapshot(newerThan: volume, among: snapshots.all) {
                self.finding = .unclear(.staleVolume(volume, newer))
            } else if let last = Self.missing(since: volume, of: row, snapshots.all, reservation) {
                self.finding = .unclear(.volumeBeforeMissingSnapshot(volume, last))
            } else if row.isInUse, let lost = volumes.lost(from: row, purpose), lost != volume.id,
                volume.dataTime < row.lastUsed ?? .distantFuture
            {
                // What is left was there before the holder took the disk, and is not what it worked on.
                self.finding = .unclear(.lostVolume(lost, beside: volume))
            } else {
                self.finding = .volume(volume)
            }
        case .none:
            self.finding = Self.withoutVolume(row, volumes, snapshots.all, purpose, job)
        }
    }

    /// What it is made from besides the row: the disk's volumes and then its snapshots, as EC2 has them now.
    static func sources(
        of disk: Disk,
        in ec2: EC2Client,
        _ database: PostgresPool,
        deadline: ContinuousClock.Instant,
    ) async throws -> (volumes: DiskVolumes, snapshots: DiskSnapshots) {
        let volumes = try await DiskVolumes(of: disk, in: ec2, database, deadline: deadline)
        return (volumes, try await DiskSnapshots(of: disk.key, in: ec2, deadline: deadline))
    }

    /// The state for a job of a reservation's, with the volumes and the snapshots that it was made from.
    static func read(
        of disk: Disk,
        for purpose: Purpose,
        of reservation: ReservationID?,
        _ job: Job<some Any>,
        in ec2: EC2Client,
        _ database: PostgresPool,
    ) async throws -> (state: NewestState, volumes: DiskVolumes, snapshots: DiskSnapshots) {
        let deadline = job.context.deadline
        let (volumes, snapshots) = try await self.sources(of: disk, in: ec2, database, deadline: deadline)
        let state = NewestState(of: disk, volumes, snapshots, for: purpose, of: reservation, job: job.id)
        return (state, volumes, snapshots)
    }

    /// The newest kept snapshot, if it is of another volume and began after this volume was made.
    ///
    /// Then somebody has worked on the disk elsewhere since, and the volume is probably one that was left behind.
    static func snapshot(newerThan volume: Volume, among snapshots: [Snapshot]) -> Snapshot? {
        let newest = snapshots.filter { $0.mayHoldData }.max { $0.isOlder(than: $1) }
        guard let newest, newest.volumeID != volume.id, newest.id != volume.snapshotID,
            newest.dataTime > volume.dataTime
        else { return nil }
        return newest
    }

    /// When the newest snapshot was taken that the row knows of, if it is missing and began after the volume was made.
    ///
    /// It may have been of another volume. What somebody works on, or has worked on, is newer in any case.
    private static func missing(
        since volume: Volume,
        of row: Disk,
        _ snapshots: [Snapshot],
        _ reservation: ReservationID?,
    ) -> Date? {
        let isAtWork =
            volume.isAttached || volume.id == row.handedOutVolume
            || reservation != nil && volume.reservation == reservation?.description
        guard !isAtWork, let last = row.lastSnapshot, last > volume.dataTime else { return nil }
        let newest = snapshots.filter { $0.mayHoldData }.map(\.dataTime).max() ?? .distantPast
        return last.timeIntervalSince(newest) > Self.clockGrain ? last : nil
    }

    private static func withoutVolume(
        _ row: Disk,
        _ volumes: DiskVolumes,
        _ snapshots: [Snapshot],
        _ purpose: Purpose,
        _ job: JobID?,
    ) -> Finding {
        let kept = snapshots.filter { $0.mayHoldData }
        if let pending = kept.filter({ $0.state == .pending }).max(by: { $0.isOlder(than: $1) }) {
            return .pending(pending)
        }
        let isFree = !row.isInUse || row.wasFree
        let lost = isFree ? nil : volumes.lost(from: row, purpose)
        guard let newest = kept.max(by: { $0.isOlder(than: $1) }) else {
            if row.lastSnapshot != nil || row.snapshotCount > 0 {
                return .unclear(.snapshotsMissing(row, purpose))
            }
            // What a free row names is history where there are snapshots, and all that there was where there are none.
            let gone = lost ?? (isFree ? volumes.missing : nil)
            return gone.map { .unclear(.lostVolume($0, nil, purpose)) } ?? .nothing
        }
        if newest.isCopy, newest.acceptedAt == nil { return .unclear(.copiedSnapshot(newest)) }
        if let last = row.lastSnapshot, last.timeIntervalSince(newest.dataTime) > Self.clockGrain {
            return .unclear(.olderSnapshot(newest, last))
        }
        let isOwn = job.map { newest.tags[EC2Client.operationTag] == $0.description } ?? false
        if let lost, !isOwn, newest.dataTime < row.lastUsed ?? .distantFuture {
            return .unclear(.lostVolume(lost, newest, purpose))
        }
        return .snapshot(newest)
    }

    /// AWS counts milliseconds and PostgreSQL microseconds, in seconds.
    private static let clockGrain = 0.001
}

extension DiskVolumes {
    /// A volume that the holder has had and that is gone or broken, and with it what was written to it last.
    ///
    /// Who hands a disk out goes by what was handed out before to the same holder: a row may name the volume of a
    /// session that ended long ago. One in error that restoring a disk has just made was never anybody's.
    fileprivate func lost(from row: Disk, _ purpose: NewestState.Purpose) -> VolumeID? {
        let broken = self.broken.filter { volume in
            volume.id == row.handedOutVolume
                || volume.id == row.volume && volume.tags[EC2Client.operationTag] == nil
        }
        if let volume = broken.first { return volume.id }
        if let volume = row.handedOutVolume, !self.knows(volume) { return volume }
        return purpose == .release ? self.missing : nil
    }
}

extension Snapshot {
    /// Whether data can be in it that nobody has given up: complete or on the way there, and no safety copy.
    var mayHoldData: Bool {
        (self.state == .completed || self.state == .pending) && self.tags[DiskTag.safetySnapshot] == nil
    }

    /// When a person said that it holds the newest data.
    var acceptedAt: Date? { self.tags[DiskTag.newest].flatMap { Date(rfc3339: $0) } }

    /// The moment whose data it holds, as far as is known.
    var dataTime: Date { max(self.startTime, self.acceptedAt ?? self.startTime) }

    /// Whether it was copied from another snapshot, and so begun at a time that says nothing of its data.
    ///
    /// EC2 gives copies an arbitrary volume id (CopySnapshot in its API reference), all of whose digits are f.
    var isCopy: Bool {
        let id = self.volumeID.rawValue
        return id.hasPrefix("vol-") && id.dropFirst(4).utf8.allSatisfy { $0 == UInt8(ascii: "f") }
    }
}

extension Volume {
    /// From when on it may hold data that no snapshot of another volume has.
    var dataTime: Date {
        max(self.createTime, self.tags[DiskTag.newest].flatMap { Date(rfc3339: $0) } ?? self.createTime)
    }
}
