import AWS
import Foundation
import Jobs
import Platform
import Testing

@testable import Disks

@Suite struct `The newest state of a disk` {
    private func snapshot(
        _ id: SnapshotID,
        of volume: VolumeID,
        at seconds: Double,
        state: Snapshot.State = .completed,
        tags: Tags = [:],
    ) -> Snapshot {
        Snapshot(
            id: id,
            volumeID: volume,
            state: state,
            startTime: now + seconds,
            volumeSize: 10,
            tags: [DiskTag.user: "alice", DiskTag.disk: "home"].merging(tags) { $1 }
        )
    }

    private func state(
        _ row: Disk = row(),
        _ volumes: [Volume] = [],
        _ snapshots: [Snapshot] = [],
        for purpose: NewestState.Purpose = .handingOut,
        of reservation: ReservationID? = nil,
    ) -> String {
        let volumes = DiskVolumes(volumes, of: row)
        let state = NewestState(of: row, volumes, DiskSnapshots(snapshots), for: purpose, of: reservation)
        return switch state.finding {
        case .volume(let volume): volume.id.rawValue
        case .snapshot(let snapshot): snapshot.id.rawValue
        case .nothing: "nothing"
        case .pending(let snapshot): "pending \(snapshot.id)"
        case .unclear(let doubt): doubt.code.rawValue
        }
    }

    @Test func `is unclear in a volume without an owner's tag that rows of several users name`() throws {
        let reservation = try #require(ReservationID(wire: "6f1c2f0e-9d4e-4a7b-8d0e-2f6f3f5f8a11"))
        func found(_ tags: Tags, strangers: Set<VolumeID>, given: VolumeID? = nil) -> Bool {
            var row = row("home", "vol-1")
            row.handedOutVolume = given
            let volume = Volume(
                id: "vol-1",
                size: 10,
                state: .available,
                availabilityZone: "us-east-2a",
                createTime: now,
                attachments: [],
                tags: tags
            )
            let volumes = DiskVolumes([volume], of: row, exceptThoseOf: [], strangers)
            let state = NewestState(of: row, volumes, DiskSnapshots([]), for: .release, of: reservation)
            guard case .unclear(let doubt) = state.finding else { return false }
            return doubt.code == .disputedVolume
        }
        #expect(found([:], strangers: ["vol-1"]))
        #expect(!found([:], strangers: ["vol-2"]))
        #expect(!found([:], strangers: ["vol-1"], given: "vol-1"))
        #expect(!found([DiskTag.user: "alice"], strangers: ["vol-1"]))
        #expect(!found([DiskTag.reservation: reservation.description], strangers: ["vol-1"]))
    }

    @Test func `of a new disk is nothing`() { #expect(self.state() == "nothing") }

    @Test(
        arguments: [
            // The snapshot began after the volume was made, before, at the same moment; then of the very volume.
            ("vol-9", 1.0, "stale-volume"), ("vol-9", -1, "vol-1"), ("vol-9", 0, "vol-1"),
            ("vol-1", 1, "vol-1"),
        ] as [(VolumeID, Double, String)]
    )
    func `is in a volume unless a newer snapshot is of another`(_ of: VolumeID, _ at: Double, _ found: String)
    {
        for named in [VolumeID?.none, "vol-1"] {
            for state in [Snapshot.State.completed, .pending] {
                let snapshots = [self.snapshot("snap-1", of: of, at: at, state: state)]
                #expect(self.state(row("home", named), [volume("vol-1")], snapshots) == found)
            }
        }
    }

    @Test func `is in a volume whose own snapshot is the newest of all`() {
        let snapshots = [
            self.snapshot("snap-1", of: "vol-9", at: 1), self.snapshot("snap-2", of: "vol-1", at: 2),
        ]
        #expect(self.state(row(), [volume("vol-1")], snapshots) == "vol-1")
    }

    @Test func `counts neither safety copies nor snapshots in error against a volume`() {
        let snapshots = [
            self.snapshot("snap-1", of: "vol-9", at: 1, tags: [DiskTag.safetySnapshot: "true"]),
            self.snapshot("snap-2", of: "vol-9", at: 2, state: .error),
        ]
        #expect(self.state(row(), [volume("vol-1")], snapshots) == "vol-1")
    }

    @Test func `is where a person says`() {
        let tags = [DiskTag.newest: (now + 9).rfc3339]
        let newer = self.snapshot("snap-1", of: "vol-9", at: 1)
        #expect(self.state(row(), [volume("vol-1", tags: tags)], [newer]) == "vol-1")
        let latest = self.snapshot("snap-2", of: "vol-9", at: 20)
        #expect(self.state(row(), [volume("vol-1", tags: tags)], [newer, latest]) == "stale-volume")
        let accepted = self.snapshot("snap-0", of: "vol-8", at: 0, tags: tags)
        #expect(self.state(row(lastSnapshot: now + 5), [], [accepted, newer]) == "snap-0")
    }

    @Test func `is in the newest complete snapshot where there is no volume, marked or not`() {
        let marked = self.snapshot("snap-2", of: "vol-2", at: 2, tags: [DiskTag.deleteDate: "2020-01-01"])
        let snapshots = [self.snapshot("snap-1", of: "vol-1", at: 1), marked]
        #expect(self.state(row(), [], snapshots) == "snap-2")
        #expect(
            self.state(row(), [], snapshots + [self.snapshot("snap-3", of: "vol-3", at: 3, state: .pending)])
                == "pending snap-3"
        )
    }

    @Test func `is unclear where snapshots are missing that the row knows of`() {
        #expect(self.state(row(snapshots: 1)) == "snapshots-missing")
        #expect(self.state(row(lastSnapshot: now)) == "snapshots-missing")
        #expect(self.state(row(lastSnapshot: now), for: .release) == "no-snapshot")
        let older = [self.snapshot("snap-1", of: "vol-1", at: 0)]
        #expect(self.state(row(snapshots: 1, lastSnapshot: now + 1), [], older) == "older-snapshot")
        #expect(self.state(row(snapshots: 1, lastSnapshot: now), [], older) == "snap-1")
    }

    @Test func `is unclear in a volume that is older than a snapshot which is missing`() {
        let row = row("home", "vol-1", lastSnapshot: now + 1)
        #expect(self.state(row, [volume("vol-1")]) == "snapshots-missing")
        #expect(self.state(row, [volume("vol-1", attachment: .attached)]) == "vol-1")
    }

    @Test func `is unclear in a copy of a snapshot, whose age tells nothing`() {
        let original = self.snapshot("snap-1", of: "vol-1", at: 0)
        let copy = self.snapshot("snap-2", of: "vol-ffffffff", at: 1)
        #expect(self.state(row(), [], [original, copy]) == "copied-snapshot")
        let later = self.snapshot("snap-3", of: "vol-3", at: 2)
        #expect(self.state(row(), [], [original, copy, later]) == "snap-3")
    }

    @Test func `is unclear between volumes of which none is worked on`() {
        let volumes = [volume("vol-1"), volume("vol-2")]
        #expect(self.state(row(), volumes) == "duplicate-volumes")
        #expect(self.state(row("home", "vol-1"), volumes) == "duplicate-volumes")
        let used = [volume("vol-1", attachment: .attached), volume("vol-2")]
        #expect(self.state(row("home", "vol-1"), used) == "vol-1")
        let made = [volume("vol-1"), volume("vol-2", tags: [DiskTag.reservation: "r-1"])]
        #expect(self.state(row("home", "vol-1"), made, of: ReservationID(wire: "r-1")) == "vol-2")
    }

    @Test(arguments: [NewestState.Purpose.release, .handingOut])
    func `is unclear after a session whose volume is gone`(_ purpose: NewestState.Purpose) {
        var row = row("home", "vol-1", isInUse: true)
        row.handedOutVolume = "vol-1"
        row.lastUsed = now
        let before = self.snapshot("snap-1", of: "vol-0", at: -1)
        let since = self.snapshot("snap-2", of: "vol-1", at: 1)
        #expect(self.state(row, [], [before], for: purpose) == "volume-missing")
        #expect(self.state(row, [volume("vol-1", state: .error)], [before], for: purpose) == "volume-missing")
        #expect(self.state(row, [], [before, since], for: purpose) == "snap-2")
        let older = volume("vol-5", created: now - 5)
        #expect(self.state(row, [older], for: purpose) == "volume-missing")
        #expect(self.state(row, [volume("vol-5", created: now + 5)], for: purpose) == "vol-5")
        row.lastUsed = nil
        #expect(self.state(row, [], [since], for: purpose) == "volume-missing")
    }

    @Test func `does not depend on what a free row still names, where there are snapshots`() {
        let snapshots = [self.snapshot("snap-1", of: "vol-0", at: -1)]
        #expect(self.state(row("home", "vol-1"), [], snapshots) == "snap-1")
        #expect(self.state(row("home", "vol-1"), []) == "volume-missing")
    }

    @Test func `does not miss a volume that was just made and never came to life`() {
        var row = row("home", "vol-1", isInUse: true)
        row.lastUsed = now
        let broken = volume("vol-1", state: .error, tags: [EC2Client.operationTag: "a job"])
        #expect(self.state(row, [broken], for: .release) == "nothing")
    }
}
