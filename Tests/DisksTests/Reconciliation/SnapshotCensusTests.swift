import AWS
import Foundation
import Testing

@testable import Disks

@Suite struct `A census of snapshots` {
    private static let snapshots = [
        snapshot("snap-1", of: "vol-0", begun: now - 100), snapshot("snap-2", of: "vol-1", begun: now - 50),
        snapshot("snap-3", of: "vol-1", state: .pending), snapshot("snap-4", of: "vol-1", state: .error),
        snapshot("snap-5", of: "vol-2", disk: "other"),
        snapshot("snap-6", of: "vol-1", tags: [DiskTag.deleteDate: "2031-01-01"]),
        snapshot("snap-7", of: "vol-1", disk: nil, tags: [DiskTag.safetySnapshot: "true"]),
    ]

    @Test func `counts those of the disk, without what is to go and safety copies`() {
        let summary = SnapshotCensus(Self.snapshots).summary(of: home, on: "vol-1")
        #expect((summary.count, summary.pending, summary.newest) == (3, 1, now - 50))
    }

    @Test func `counts all of the current volume for comparison with older versions`() {
        let summary = SnapshotCensus(Self.snapshots, scope: .volume).summary(of: home, on: "vol-1")
        #expect((summary.count, summary.pending, summary.newest) == (4, 1, now))
    }

    @Test
    func `takes a disk for being backed up while a snapshot of its volume is under way, whatever its name`() {
        let census = SnapshotCensus([
            snapshot("snap-1", of: "vol-1", disk: "earlier-name", state: .pending),
            snapshot("snap-2", of: "vol-1", disk: "home", state: .pending),
        ])
        #expect(census.summary(of: home, on: "vol-1").pending == 2)
        #expect(census.summary(of: home, on: "vol-2").pending == 1)
    }

    @Test func `knows nothing of a disk without any`() {
        #expect(SnapshotCensus([]).summary(of: home, on: "vol-1") == SnapshotSummary())
    }

    @Test func `tells users apart whose names look alike`() {
        let (one, other) = (DiskKey(user: "\u{E9}", name: "a"), DiskKey(user: "e\u{301}", name: "a"))
        #expect(one != other)
        #expect(Set([one, other]).count == 2)
    }
}
