import AWS
import FoundationEssentials
import Testing

@testable import Disks
@testable import Jobs

@Suite struct PruningTests {
    private func ids(_ snapshots: [Snapshot]) -> [String] { snapshots.map(\.id.rawValue) }

    private func aged(_ days: Double...) -> [Snapshot] {
        days.map { Sample.snapshot("snap-\(Int($0 * 10))", days: $0) }
    }

    @Test(
        arguments: [
            ([1, 2, 3, 4, 5], []),
            ([8, 9, 10], []),
            ([8, 9, 10, 11, 12], ["snap-120", "snap-110"]),
            ([1, 2, 3, 6.9, 7.1, 30], ["snap-300", "snap-71"]),
            ([0.1, 0.2, 0.3, 100], ["snap-1000"]),
        ] as [([Double], [String])]
    )
    func `the three newest stay, and any that is a week old at most`(days: [Double], doomed: [String]) {
        let snapshots = days.map { Sample.snapshot("snap-\(Int($0 * 10))", days: $0) }.shuffled()
        let pruning = Pruning(snapshots, of: Sample.disk(), at: Sample.now)
        #expect(self.ids(pruning.superfluous) == doomed)
        #expect(pruning.due.isEmpty && pruning.unmarked.isEmpty)
    }

    @Test func `of snapshots begun at one time the greater id is the newer`() {
        let snapshots = ["snap-a", "snap-d", "snap-b", "snap-c"].map { Sample.snapshot($0, days: 10) }
        #expect(self.ids(Pruning(snapshots, of: Sample.disk(), at: Sample.now).superfluous) == ["snap-a"])
        #expect(DiskSnapshots(snapshots).newest?.id.rawValue == "snap-d")
    }

    @Test
    func `pending and failed ones, safety copies and those of disks without a row are nobody's to thin out`()
    {
        var snapshots = self.aged(1, 2, 3)
        snapshots.append(Sample.snapshot("snap-p", days: 20, state: .pending))
        snapshots.append(Sample.snapshot("snap-e", days: 20, state: .error))
        let copy = [DiskTag.safetySnapshot: "true", DiskTag.quarantineDeletion: "2025-12-01T00:00:00Z"]
        snapshots.append(Sample.snapshot("snap-s", days: 20, tags: copy))
        #expect(Pruning(snapshots, of: Sample.disk(), at: Sample.now).superfluous.isEmpty)
        let many = self.aged(10, 20, 30, 40, 50)
        #expect(Pruning(many, of: nil, at: Sample.now).superfluous.isEmpty)
    }

    @Test func `five disks with one snapshot each lose none`() {
        let rows = (1...5).map { Sample.disk("d\($0)") }
        let snapshots = (1...5).map { Sample.snapshot("snap-\($0)", days: 100, disk: "d\($0)") }
        let inventory = SnapshotInventory(snapshots, of: rows, at: Sample.now)
        #expect(inventory.prunings.count == 5)
        #expect(inventory.prunings.values.allSatisfy { $0.superfluous.isEmpty && $0.due.isEmpty })
    }

    @Test(arguments: [
        ("2025-12-31", "2025-12-31", true), ("2026-01-01", "2026-01-01", true),
        ("2026-01-02", "2026-01-02", false), ("2025-12-31", "2026-01-02", false),
        ("2026-01-02", "2025-12-31", false),
    ])
    func `a snapshot is purged when its own day and that of its row have come`(
        mark: String,
        day: String,
        isDue: Bool
    ) {
        let snapshot = Sample.snapshot("snap-1", tags: [DiskTag.deleteDate: mark])
        let pruning = Pruning([snapshot], of: Sample.disk(deleteDate: day), at: Sample.now)
        #expect(self.ids(pruning.due) == (isDue ? ["snap-1"] : []))
        #expect(pruning.isRowDue == isDue)
    }

    @Test func `a marked snapshot of a disk that lives is kept`() {
        let snapshot = Sample.snapshot("snap-1", days: 90, tags: [DiskTag.deleteDate: "2025-11-01"])
        let pruning = Pruning([snapshot], of: Sample.disk(), at: Sample.now)
        #expect(pruning.due.isEmpty && pruning.superfluous.isEmpty)
    }

    @Test(arguments: [("2025-12-24", true), ("2025-12-25", false), ("2026-01-01", false)])
    func `without a row a snapshot goes a week after its day`(mark: String, isDue: Bool) {
        let snapshot = Sample.snapshot("snap-1", tags: [DiskTag.deleteDate: mark])
        #expect(Pruning([snapshot], of: nil, at: Sample.now).due.isEmpty != isDue)
    }

    @Test(arguments: ["", "soon", "2025-02-30", "2025-1-2", "2025-12-01T00:00:00Z", "1764547200"])
    func `a mark that is no day keeps its snapshot and is told of`(mark: String) {
        let snapshot = Sample.snapshot("snap-1", tags: [DiskTag.deleteDate: mark])
        let pruning = Pruning([snapshot], of: Sample.disk(deleteDate: "2025-12-01"), at: Sample.now)
        #expect(pruning.due.isEmpty && !pruning.isRowDue)
        #expect(self.ids(pruning.unreadable) == ["snap-1"])
    }

    @Test(
        arguments: [
            (7 * 86_400, true), (7 * 86_400 - 1, false), (0, false), (nil, false),
        ] as [(Int?, Bool)]
    )
    func `nothing is purged within a week of its deletion, whatever its day`(age: Int?, isDue: Bool) {
        var row = Sample.disk(deleteDate: "2025-12-01")
        row.markedDeleted = age.map { Sample.now.addingTimeInterval(-Double($0)) }
        let snapshot = Sample.snapshot("snap-1", tags: [DiskTag.deleteDate: "2025-12-01"])
        let pruning = Pruning([snapshot], of: row, at: Sample.now)
        #expect(self.ids(pruning.due) == (isDue ? ["snap-1"] : []))
        #expect(pruning.isRowDue == isDue)
    }

    @Test func `a safety copy is kept for as long as its own tag says, if that is more`() {
        let tags = [
            DiskTag.safetySnapshot: "true", DiskTag.quarantineDeletion: "2025-08-01T00:00:00Z",
            DiskTag.retentionDays: "365",
        ]
        let copy = Sample.snapshot("snap-1", days: 200, tags: tags)
        #expect(Pruning([copy], of: nil, at: Sample.now).outdatedCopies.isEmpty)
        #expect(!copy.isOutdated(at: Sample.now))
    }

    @Test func `snapshots of a deleted disk get its day, and only they`() {
        let snapshots = [
            Sample.snapshot("snap-1"), Sample.snapshot("snap-2", state: .pending),
            Sample.snapshot("snap-3", tags: [DiskTag.deleteDate: "2026-02-01"]),
        ]
        let pruning = Pruning(snapshots, of: Sample.disk(deleteDate: "2026-02-01"), at: Sample.now)
        #expect(self.ids(pruning.unmarked) == ["snap-1", "snap-2"])
        #expect(Pruning(snapshots, of: Sample.disk(), at: Sample.now).unmarked.isEmpty)
    }

    @Test(arguments: [
        ("2025-10-02T23:59:59Z", true), ("2025-10-03T00:00:01Z", false), ("2025-12-01T00:00:00+00:00", false),
    ])
    func `a safety copy goes ninety days after its volume`(end: String, isOutdated: Bool) {
        let tags = [DiskTag.safetySnapshot: "true", DiskTag.quarantineDeletion: end]
        let pruning = Pruning([Sample.snapshot("snap-1", days: 200, tags: tags)], of: nil, at: Sample.now)
        #expect(pruning.outdatedCopies.isEmpty != isOutdated)
        #expect(pruning.due.isEmpty && pruning.superfluous.isEmpty)
    }

    @Test func `no more goes at once than one run may`() {
        let rows = (1...3).map { Sample.disk("d\($0)", deleteDate: "2025-12-01") }
        let doomed = (1...12).map {
            Sample.snapshot("snap-\($0)", disk: "d\($0 % 3 + 1)", tags: [DiskTag.deleteDate: "2025-12-01"])
        }
        let few = SnapshotInventory(doomed, of: rows, at: Sample.now)
        let all = PruningTally(few, isOfAll: true, isDryRun: true).supposing(few)
        #expect((all.purged, all.deferred) == (10, 2))
        let one = PruningTally(few, isOfAll: false, isDryRun: true).supposing(few)
        #expect((one.purged, one.deferred) == (12, 0))
        let others = (1...60).map { Sample.snapshot("snap-k\($0)", disk: "kept") }
        let many = SnapshotInventory(doomed + others, of: rows, at: Sample.now)
        let part = PruningTally(many, isOfAll: true, isDryRun: true).supposing(many)
        #expect((part.purged, part.deferred) == (12, 0))
    }
}
