import AWS
import Foundation
import Jobs
import Platform
import Testing

@testable import Disks

@Suite struct `Of several live volumes of one disk` {
    private static let three = ["vol-1", "vol-2", "vol-3"] as [VolumeID]

    /// Volumes of which the numbered ones are attached.
    private static func volumes(attached: Set<Int>) -> [Volume] {
        self.three.enumerated().map { volume($1, attachment: attached.contains($0) ? .attached : nil) }
    }

    @Test(arguments: [VolumeID?.none, "vol-1", "vol-2", "vol-0"])
    func `the attached one is current, whatever the row says`(_ named: VolumeID?) throws {
        let plan = plan([row("home", named)], Self.volumes(attached: [1]))
        let resolution = try #require(plan.resolutions.first)
        #expect(resolution.choice.current.id == "vol-2")
        #expect(Set(resolution.choice.others.map(\.id)) == ["vol-1", "vol-3"])
        #expect((plan.statistics.aws_duplicates, plan.statistics.skipped_duplicates) == (1, 2))
        #expect(plan.statistics.errors == 0)
    }

    @Test(arguments: [VolumeID?.none, "vol-1", "vol-3", "vol-0"])
    func `none is current if two are attached`(_ named: VolumeID?) {
        let plan = plan([row("home", named, isInUse: true)], Self.volumes(attached: [0, 1]))
        #expect(plan.isIdle)
        #expect((plan.statistics.unresolved_duplicates, plan.statistics.errors) == (1, 1))
        #expect(plan.statistics.skipped_duplicates == 0)
        #expect(plan.statistics.orphaned_db_active == 0)
    }

    @Test func `the one that the row names is current if none is attached`() throws {
        let plan = plan([row("home", "vol-1")], Self.volumes(attached: []))
        let resolution = try #require(plan.resolutions.first)
        #expect(resolution.choice.current.id == "vol-1")
        guard case .nothing = resolution.next else { return #expect(Bool(false), "the row is right") }
    }

    @Test(arguments: [VolumeID?.none, "vol-0"])
    func `the greatest is current if none is attached and the row names none of them`(_ named: VolumeID?)
        throws
    {
        let plan = plan([row("home", named)], Self.volumes(attached: []))
        let resolution = try #require(plan.resolutions.first)
        #expect(resolution.choice.current.id == "vol-3")
        guard case .change(let change) = resolution.next else {
            return #expect(Bool(false), "the row is wrong")
        }
        #expect(change.changes.map(\.column) == ["ebs_volume_id"])
    }

    @Test func `the current one becomes a row where there is none`() throws {
        let plan = plan([], Self.volumes(attached: []))
        guard case .bringIn(let newcomer) = try #require(plan.resolutions.first).next else {
            return #expect(Bool(false), "there is no row")
        }
        #expect(newcomer.volume.id == "vol-3")
        #expect(plan.imports.isEmpty)
    }

    @Test(
        arguments: [
            // Size comes first, then age, then the id; an older one with a snapshot is for a person to choose.
            ([volume("vol-9"), volume("vol-1", size: 11)], "vol-1"),
            ([volume("vol-9"), volume("vol-2", created: now - 9)], nil),
            ([volume("vol-1", created: now + 1), volume("vol-9")], "vol-1"),
            ([volume("vol-3"), volume("vol-9")], "vol-9"),
        ] as [([Volume], VolumeID?)]
    )
    func `the greatest is found`(_ volumes: [Volume], _ greatest: VolumeID?) {
        // They began before any of the volumes was made, so that none is stale.
        let census = SnapshotCensus([
            snapshot("snap-1", of: "vol-2", begun: now - 20),
            snapshot("snap-2", of: "vol-9", state: .pending, begun: now - 20),
        ])
        let choice = DuplicateVolumes(disk: home, volumes: volumes).choice(named: nil, census)
        #expect(choice?.current.id == greatest)
    }

    @Test func `more than a hundred snapshots count no more than a hundred`() {
        let snapshots = (0..<301).map {
            snapshot(SnapshotID(rawValue: "snap-\($0)"), of: $0 < 101 ? "vol-9" : "vol-1")
        }
        let duplicates = DuplicateVolumes(disk: home, volumes: [volume("vol-1"), volume("vol-9")])
        #expect(duplicates.choice(named: nil, SnapshotCensus(snapshots))?.current.id == "vol-9")
    }

    @Test func `none is chosen by snapshots that could not be read`() {
        let duplicates = DuplicateVolumes(disk: home, volumes: [volume("vol-1"), volume("vol-2")])
        #expect(duplicates.choice(named: nil, nil) == nil)
        #expect(duplicates.choice(named: "vol-1", nil)?.current.id == "vol-1")
    }

    @Test func `a detaching one counts as attached`() throws {
        let volumes = [volume("vol-1", attachment: .detaching), volume("vol-2", size: 99)]
        #expect(
            try #require(plan([row("home", "vol-2")], volumes).resolutions.first).choice.current.id == "vol-1"
        )
    }

    @Test func `none is touched while the row's own is being made`() {
        let plan = plan(
            [row("home", "vol-0")],
            Self.volumes(attached: []) + [volume("vol-0", state: .creating)]
        )
        #expect(plan.isIdle)
        #expect(plan.statistics.unresolved_duplicates == 1)
    }

    @Test func `none is touched while another job is at the disk`() {
        let plan = plan(
            [row("home", "vol-1")],
            Self.volumes(attached: []),
            held: [.disk(user: "alice", name: "home")]
        )
        #expect(plan.isIdle)
        #expect((plan.statistics.transient_skipped, plan.statistics.errors) == (1, 0))
    }

    @Test func `one that a deleted disk left behind is not touched`() {
        let plan = plan([row("home", "vol-1", isDeleted: true)], Self.volumes(attached: []))
        #expect(plan.isIdle)
        #expect(plan.statistics.deleted_disk_volumes == 3)
    }

    @Test func `no more are touched than one run may`() {
        let disks = (0..<6).map { row("disk-\($0)", nil) }
        let volumes = disks.flatMap { disk in
            (0..<3).map { volume(VolumeID(rawValue: "vol-\(disk.name)-\($0)"), of: disk.name) }
        }
        let plan = plan(disks, volumes)
        #expect(plan.resolutions.count == 5)
        #expect((plan.statistics.skipped_duplicates, plan.statistics.deferred) == (10, 2))
        #expect((plan.statistics.unresolved_duplicates, plan.statistics.errors) == (1, 0))
    }

    @Test(arguments: [VolumeID?.none, "vol-1"])
    func `one that was made before a newer snapshot of another began is never current`(_ named: VolumeID?)
        throws
    {
        let volumes = [volume("vol-1", size: 99), volume("vol-2", created: now + 9)]
        let newer = Snapshot(
            id: "snap-1",
            volumeID: "vol-0",
            state: .completed,
            startTime: now + 5,
            volumeSize: 10,
            tags: [DiskTag.user: "alice", DiskTag.disk: "home"]
        )
        let plan = plan([row("home", named)], volumes, [newer])
        #expect(try #require(plan.resolutions.first).choice.current.id == "vol-2")
        let stale = [volume("vol-1", size: 99, attachment: .attached), volume("vol-2", created: now + 9)]
        let choice = DuplicateVolumes(disk: home, volumes: stale).choice(
            named: named,
            SnapshotCensus([newer])
        )
        #expect(choice?.current.id == nil)
    }
    @Test func `one that another was made from is not current for having more snapshots`() {
        let copied = [snapshot("snap-1", of: "vol-1", begun: now + 5)]
        let made = Volume(
            id: "vol-2",
            size: 10,
            state: .available,
            availabilityZone: "us-east-2a",
            createTime: now + 9,
            snapshotID: "snap-1",
            tags: [DiskTag.user: "alice", DiskTag.disk: "home"]
        )
        let duplicates = DuplicateVolumes(disk: home, volumes: [volume("vol-1"), made])
        let choice = duplicates.choice(named: nil, SnapshotCensus(copied))
        #expect(choice?.current.id == "vol-2")
    }

    @Test func `a person chooses if the one with more snapshots is older than another with none of them`() {
        let volumes = [volume("vol-1"), volume("vol-2", created: now + 9)]
        let duplicates = DuplicateVolumes(disk: home, volumes: volumes)
        let census = SnapshotCensus([snapshot("snap-1", of: "vol-1", begun: now + 5)])
        #expect(duplicates.choice(named: nil, census) == nil)
        #expect(duplicates.choice(named: "vol-2", census)?.current.id == "vol-2")
    }
}
