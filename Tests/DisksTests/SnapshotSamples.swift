import FoundationEssentials

@testable import AWS
@testable import Disks
@testable import Jobs

/// Snapshots and rows as a test needs them; ages count from one fixed moment.
enum Sample {
    static let now = Date(timeIntervalSince1970: 1_767_225_600)  // 2026-01-01T00:00:00Z

    static func snapshot(
        _ id: String,
        days: Double = 0,
        state: Snapshot.State = .completed,
        user: String = "alice",
        disk: String = "home",
        tags: Tags = [:]
    ) -> Snapshot {
        Snapshot(
            id: SnapshotID(rawValue: id),
            volumeID: VolumeID(rawValue: "vol-0123456789abcdef0"),
            state: state,
            startTime: Self.now.addingTimeInterval(-days * 86_400),
            volumeSize: 10,
            tags: [DiskTag.user: user, DiskTag.disk: disk].merging(tags) { $1 }
        )
    }

    static func volume(
        _ id: String,
        state: Volume.State = .available,
        isAttached: Bool = false,
        tags: Tags = ["disk_name": "home"]
    ) -> Volume {
        let attachment = VolumeAttachment(
            instanceID: InstanceID(rawValue: "i-1"),
            state: .attached,
            device: "/dev/xvdf"
        )
        return Volume(
            id: VolumeID(rawValue: id),
            size: 10,
            state: state,
            availabilityZone: "us-east-2a",
            createTime: Self.now,
            attachments: isAttached ? [attachment] : [],
            tags: [DiskTag.user: "alice"].merging(tags) { $1 }
        )
    }

    static func disk(
        _ name: String = "home",
        volume: String? = nil,
        deleteDate: String? = nil
    ) -> Disk {
        var disk = Disk(
            id: UUID(),
            user: "alice",
            name: name,
            size: 10,
            volume: volume.map { VolumeID(rawValue: $0) },
            isInUse: false,
            isDeleted: deleteDate != nil,
            isBackingUp: false,
            deleteDate: deleteDate.flatMap { Day(wire: $0) },
            snapshotCount: 0,
            lastSnapshot: nil,
            lastUsed: nil,
            holder: nil,
            operation: nil,
            hasCompletedOperation: false,
            isBeingTaken: false
        )
        if deleteDate != nil { disk.markedDeleted = Self.now.addingTimeInterval(-30 * 86_400) }
        return disk
    }
}
