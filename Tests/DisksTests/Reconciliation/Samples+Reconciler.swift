import Foundation
import Jobs
import Platform

@testable import AWS
@testable import Disks

/// The moment at which everything here is looked at.
let now = Date(timeIntervalSince1970: 1_700_000_000)

let home = DiskKey(user: "alice", name: "home")

func row(
    _ name: String = "home",
    _ volume: VolumeID? = nil,
    size: Int? = 10,
    isInUse: Bool = false,
    isDeleted: Bool = false,
    isBackingUp: Bool = false,
    snapshots: Int = 0,
    lastSnapshot: Date? = nil,
    isBeingTaken: Bool = false,
) -> Disk {
    Disk(
        id: UUID(),
        user: "alice",
        name: name,
        size: size,
        volume: volume,
        isInUse: isInUse,
        isDeleted: isDeleted,
        isBackingUp: isBackingUp,
        deleteDate: nil,
        snapshotCount: snapshots,
        lastSnapshot: lastSnapshot,
        lastUsed: nil,
        holder: nil,
        operation: nil,
        hasCompletedOperation: false,
        isBeingTaken: isBeingTaken
    )
}

func volume(
    _ id: VolumeID,
    of disk: String? = "home",
    user: String = "alice",
    size: Int = 10,
    state: Volume.State = .available,
    attachment: VolumeAttachment.State? = nil,
    created: Date = now,
    tags: Tags = [:],
) -> Volume {
    var all: Tags = [DiskTag.user: user]
    all[DiskTag.disk] = disk
    return Volume(
        id: id,
        size: size,
        state: attachment == nil ? state : .inUse,
        availabilityZone: "us-east-2a",
        createTime: created,
        attachments: attachment.map {
            [VolumeAttachment(instanceID: "i-1", state: $0, device: "/dev/xvdf")]
        } ?? [],
        tags: all.merging(tags) { $1 }
    )
}

func snapshot(
    _ id: SnapshotID,
    of volume: VolumeID,
    disk: String? = "home",
    state: Snapshot.State = .completed,
    begun: Date = now,
    tags: Tags = [:],
) -> Snapshot {
    var all: Tags = [DiskTag.user: "alice"]
    all[DiskTag.disk] = disk
    return Snapshot(
        id: id,
        volumeID: volume,
        state: state,
        startTime: begun,
        volumeSize: 10,
        tags: all.merging(tags) { $1 }
    )
}

func plan(
    _ rows: [Disk],
    _ volumes: [Volume],
    _ snapshots: [Snapshot]? = [],
    held: Set<ExclusiveKey> = [],
    unknown: [VolumeID] = [],
) -> ReconciliationPlan {
    var inventory = Inventory(
        rows: rows,
        heldDisks: held,
        volumes: volumes,
        snapshots: snapshots.map { SnapshotCensus($0) },
        now: now
    )
    inventory.leaveOpen(unknown)
    return ReconciliationPlan(inventory)
}

extension ReconciliationPlan {
    /// The names of the columns that change, by disk.
    var columns: [String: [String]] {
        Dictionary(uniqueKeysWithValues: self.changes.map { ($0.row.name, $0.changes.map(\.column)) })
    }

    /// Whether nothing at all is to be done.
    var isIdle: Bool {
        self.changes.isEmpty && self.imports.isEmpty && self.resolutions.isEmpty && self.misnamed.isEmpty
            && self.quarantine.copies.isEmpty && self.quarantine.deletions.isEmpty
            && self.quarantine.outdated.isEmpty && self.quarantine.reminders.isEmpty
    }
}

func quarantined(_ id: VolumeID, since: Date = now - 31 * 86_400, tags: Tags = [:]) -> Volume {
    volume(id, tags: [DiskTag.quarantined: since.formatted(.iso8601)].merging(tags) { $1 })
}
