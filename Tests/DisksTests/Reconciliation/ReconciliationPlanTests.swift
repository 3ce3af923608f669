import AWS
import Foundation
import Jobs
import Platform
import Testing

@testable import Disks

@Suite struct `A plan for disks with one live volume` {
    @Test func `leaves a row alone that agrees with its volume`() {
        let plan = plan([row("home", "vol-1")], [volume("vol-1")])
        #expect(plan.isIdle)
        #expect(plan.statistics.synced == 1)
        #expect((plan.statistics.aws_volumes, plan.statistics.db_records) == (1, 1))
        #expect(plan.statistics.errors == 0)
    }

    @Test func `brings every column up that differs`() {
        let newest = now - 60
        let plan = plan(
            [row("home", "vol-1", size: 5)],
            [volume("vol-1", attachment: .attached)],
            [
                snapshot("snap-1", of: "vol-1", begun: newest),
                snapshot("snap-2", of: "vol-0", state: .pending),
            ]
        )
        #expect(
            plan.columns == [
                "home": ["size_gb", "in_use", "snapshot_count", "is_backing_up", "last_snapshot_at"]
            ]
        )
        #expect(plan.statistics.synced == 0)
    }

    @Test func `takes a time for the same that PostgreSQL has to the microsecond`() {
        let time = now + 0.123
        let plan = plan(
            [row("home", "vol-1", snapshots: 1, lastSnapshot: time + 0.000_000_4)],
            [volume("vol-1")],
            [snapshot("snap-1", of: "vol-1", begun: time)]
        )
        #expect(plan.statistics.synced == 1)
    }

    @Test func `links a row that names no volume`() {
        let plan = plan([row("home", nil)], [volume("vol-1")])
        #expect(plan.columns == ["home": ["ebs_volume_id"]])
        #expect(plan.statistics.volume_id_conflicts == 0)
    }

    @Test func `replaces a volume that is gone`() {
        let plan = plan([row("home", "vol-0", isInUse: true)], [volume("vol-1")])
        #expect(plan.columns == ["home": ["ebs_volume_id", "in_use"]])
        #expect(plan.statistics.volume_id_conflicts == 0)
        #expect(plan.statistics.orphaned_db_active == 0)
    }

    @Test func `replaces a volume in quarantine and tells of it`() {
        let plan = plan([row("home", "vol-0")], [volume("vol-1"), quarantined("vol-0", since: now)])
        #expect(plan.columns == ["home": ["ebs_volume_id"]])
        #expect(plan.statistics.volume_id_conflicts == 1)
    }

    @Test(arguments: [
        volume("vol-0", state: .creating), volume("vol-0", state: .deleting), volume("vol-0", state: .error),
        volume("vol-0", attachment: .attached, tags: [DiskTag.quarantined: "2023-11-14T00:00:00Z"]),
    ])
    func `keeps a volume that is there, though not to reckon with`(_ other: Volume) {
        let plan = plan([row("home", "vol-0")], [volume("vol-1"), other])
        #expect(plan.isIdle)
        #expect(plan.statistics.volume_id_conflicts == 1)
    }

    @Test func `keeps a volume of which it is not known whether it exists`() {
        let plan = plan([row("home", "vol-0")], [volume("vol-1")], unknown: ["vol-0"])
        #expect(plan.isIdle)
        #expect(plan.statistics.errors == 1)
    }

    @Test func `makes a row for a volume without one`() throws {
        let plan = plan([], [volume("vol-1", attachment: .attached)], [snapshot("snap-1", of: "vol-1")])
        let one = try #require(plan.imports.first)
        #expect((one.disk, one.volume.id, one.snapshots?.count) == (home, "vol-1", 1))
        #expect(plan.imports.count == 1)
    }

    @Test(arguments: [
        volume("vol-1", of: nil), volume("vol-1", of: nil, tags: [DiskTag.name: "gpu-dev-persistent-alice"]),
        volume("vol-1", of: "no/name"), volume("vol-1", user: ""),
    ])
    func `makes no row where the tags name no disk`(_ nameless: Volume) {
        let plan = plan([], [nameless])
        #expect(plan.isIdle)
        #expect(plan.statistics.ignored_volumes == 1)
    }

    @Test func `takes the older tag for the disk's name too`() {
        let plan = plan([], [volume("vol-1", of: nil, tags: [DiskTag.olderDisk: "home"])])
        #expect(plan.imports.map(\.disk) == [home])
    }

    @Test func `finds a disk that was renamed by its row, and mends the tag`() {
        let plan = plan([row("new", "vol-1")], [volume("vol-1", of: "old")])
        #expect(plan.imports.isEmpty)
        #expect(plan.misnamed.map(\.volume) == ["vol-1"])
        #expect(plan.misnamed.map(\.name) == ["new"])
        #expect(plan.statistics.synced == 1)
    }

    @Test(arguments: [VolumeID?.none, "vol-1", "vol-0"])
    func `does not revive a deleted disk`(_ named: VolumeID?) {
        let plan = plan([row("home", named, isDeleted: true)], [volume("vol-1")])
        #expect(plan.isIdle)
        #expect(plan.statistics.deleted_disk_volumes == 1)
    }

    @Test func `leaves a row alone whose volume is another user's`() {
        let plan = plan([row("home", "vol-1", isInUse: true)], [volume("vol-1", user: "bob")])
        #expect(plan.isIdle)
        #expect((plan.statistics.volume_id_conflicts, plan.statistics.errors) == (1, 1))
    }

    @Test func `lets the tags decide between two rows that name one volume`() {
        let plan = plan([row("home", "vol-1", size: 1), row("other", "vol-1")], [volume("vol-1")])
        #expect(plan.columns == ["home": ["size_gb"]])
        #expect(plan.statistics.errors == 1)
    }

    @Test func `touches neither of two rows that name a third one's volume`() {
        let plan = plan([row("one", "vol-1"), row("two", "vol-1")], [volume("vol-1")])
        #expect(plan.isIdle)
        #expect(plan.statistics.errors == 1)
    }

    @Test func `counts a second row of one disk as an error`() {
        let plan = plan([row("home", "vol-1"), row("home", nil)], [volume("vol-1")])
        #expect(plan.isIdle)
        #expect((plan.statistics.errors, plan.statistics.synced) == (1, 1))
    }

    @Test func `passes over a disk that another job is at`() {
        let disks = [row("home", "vol-1", size: 1), row("gone", "vol-2", isInUse: true)]
        let plan = plan(
            disks,
            [volume("vol-1")],
            held: [.disk(user: "alice", name: "home"), .disk(user: "alice", name: "gone")]
        )
        #expect(plan.isIdle)
        #expect(plan.statistics.transient_skipped == 2)
    }

    @Test func `does not free a disk that is just being taken`() {
        let plan = plan([row("home", "vol-1", isInUse: true, isBeingTaken: true)], [volume("vol-1")])
        #expect(plan.isIdle)
        #expect(plan.statistics.synced == 1)
    }

    @Test(arguments: [
        VolumeAttachment.State.attaching, .attached, .detaching, .busy, .unknown("new"),
    ])
    func `takes a volume for in use until it is detached`(_ state: VolumeAttachment.State) {
        let plan = plan([row("home", "vol-1", isInUse: false)], [volume("vol-1", attachment: state)])
        #expect(plan.columns == ["home": ["in_use"]])
    }

    @Test func `keeps what it does not know of the snapshots`() throws {
        let disks = [row("home", "vol-1", size: 1, isBackingUp: true, snapshots: 7)]
        let plan = plan(disks, [volume("vol-1"), volume("vol-2", of: "new")], nil)
        #expect(plan.columns == ["home": ["size_gb"]])
        #expect(try #require(plan.imports.first).snapshots == nil)
        #expect(plan.statistics.errors == 1)
    }
}

@Suite struct `A plan for rows whose volume is gone` {
    @Test func `frees the disk`() {
        let plan = plan([row("home", "vol-1", isInUse: true)], [])
        #expect(plan.columns == ["home": ["in_use"]])
        #expect(plan.statistics.orphaned_db_active == 1)
    }

    @Test func `has nothing to do for a disk that is free`() {
        let plan = plan([row("home", "vol-1"), row("new", nil)], [])
        #expect(plan.isIdle)
        #expect(plan.statistics.orphaned_db_active == 1)
    }

    @Test func `does not free a disk that is just being taken`() {
        let plan = plan([row("home", "vol-1", isInUse: true, isBeingTaken: true)], [])
        #expect(plan.isIdle)
        #expect(plan.statistics.orphaned_db_active == 1)
    }

    @Test func `leaves a deleted disk alone`() {
        let plan = plan([row("home", "vol-1", isInUse: true, isDeleted: true)], [])
        #expect(plan.isIdle)
        #expect((plan.statistics.orphaned_db_deleted, plan.statistics.orphaned_db_active) == (1, 0))
    }

    @Test(arguments: [
        quarantined("vol-1", since: now), volume("vol-1", state: .creating),
        volume("vol-1", state: .deleting),
        volume("vol-1", state: .error), volume("vol-1", of: nil),
    ])
    func `does not take a volume for gone that is in another state`(_ there: Volume) {
        let plan = plan([row("home", "vol-1", isInUse: true, isBeingTaken: true)], [there])
        #expect(plan.changes.isEmpty)
        #expect(plan.statistics.orphaned_db_active == 0)
    }

    @Test func `does not take a volume for gone that could not be looked up`() {
        let plan = plan([row("home", "vol-1", isInUse: true)], [], unknown: ["vol-1"])
        #expect(plan.isIdle)
        #expect((plan.statistics.errors, plan.statistics.orphaned_db_active) == (1, 0))
    }

    @Test func `frees no more than one run may`() {
        let lost = (0..<11).map { row("lost-\($0)", VolumeID(rawValue: "vol-\($0)"), isInUse: true) }
        let plan = plan(lost + [row("home", "vol-99", size: 1)], [volume("vol-99")])
        #expect(plan.columns.count == 11 && plan.columns["home"] == ["size_gb"])
        #expect((plan.statistics.orphaned_db_active, plan.statistics.deferred) == (11, 1))
    }

    @Test func `asks only for the volumes that matter`() {
        let inventory = Inventory(
            rows: [
                row("used", "vol-1", isInUse: true), row("free", "vol-2"), row("moved", "vol-3"),
                row("deleted", "vol-4", isInUse: true, isDeleted: true), row("there", "vol-5", isInUse: true),
            ],
            volumes: [volume("vol-5", of: "there"), volume("vol-6", of: "moved")],
            snapshots: SnapshotCensus([]),
            now: now
        )
        #expect(inventory.volumesInDoubt == ["vol-1", "vol-3"])
    }
}
