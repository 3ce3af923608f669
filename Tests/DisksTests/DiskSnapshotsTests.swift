import AWS
import FoundationEssentials
import Platform
import Testing

@testable import Disks
@testable import Jobs

@Suite struct DiskSnapshotsTests {
    @Test func `the newest is complete, stays, and is no safety copy`() {
        let snapshots = DiskSnapshots([
            Sample.snapshot("snap-good", days: 5), Sample.snapshot("snap-older", days: 6),
            Sample.snapshot("snap-pending", days: 1, state: .pending),
            Sample.snapshot("snap-error", days: 2, state: .error),
            Sample.snapshot("snap-marked", days: 3, tags: [DiskTag.deleteDate: "2027-01-01"]),
            Sample.snapshot("snap-copy", days: 4, tags: [DiskTag.safetySnapshot: "true"]),
        ])
        #expect(snapshots.newest?.id.rawValue == "snap-good")
        #expect(snapshots.pending.map(\.id.rawValue) == ["snap-pending"])
        #expect(snapshots.recentFailures.map(\.id.rawValue) == ["snap-error"])
        #expect(snapshots.summary.count == 3)
        #expect(DiskSnapshots([]).newest == nil)
    }

    @Test func `a label says whose snapshot it is, and why it was taken`() throws {
        let label = SnapshotLabel(
            user: try #require(UserID(wire: "alice@example.com")),
            disk: try #require(DiskName(wire: "home")),
            type: .cancellation,
            usage: DiskUsage(wire: "1.2G"),
            deleteDate: Day(wire: "2026-02-01")
        )
        #expect(
            label.description == "gpu-dev cancellation snapshot for alice@example.com (disk: home) (1.2G)"
        )
        #expect(
            label.tags(at: Sample.now) == [
                "gpu-dev-user": "alice@example.com", "disk_name": "home",
                "Name": "gpu-dev-cancellation-alice-1767225600", "created_at": "1767225600",
                "SnapshotType": "cancellation", "gpu-dev-snapshot-type": "cancellation", "disk_size": "1.2G",
                "delete-date": "2026-02-01", "marked-deleted-at": "2026-01-01T00:00:00.000Z",
            ]
        )
    }
}

@Suite struct DiskVolumesTests {
    private func current(_ volumes: [Volume], _ disk: Disk, of reservation: String? = nil) -> String {
        let found = DiskVolumes(volumes, of: disk).current(
            of: reservation.flatMap { ReservationID(wire: $0) },
            disk
        )
        return switch found {
        case .none: "none"
        case .one(let volume): volume.id.rawValue
        case .unclear: "unclear"
        }
    }

    @Test func `the current volume is the row's, or the reservation's, or the only one`() {
        let (one, two) = (Sample.volume("vol-1"), Sample.volume("vol-2"))
        let made = Sample.volume("vol-3", tags: ["disk_name": "home", DiskTag.reservation: "r-1"])
        #expect(self.current([], Sample.disk()) == "none")
        #expect(self.current([one], Sample.disk()) == "vol-1")
        #expect(self.current([one, two], Sample.disk()) == "unclear")
        #expect(self.current([one, two], Sample.disk(volume: "vol-2")) == "unclear")
        #expect(self.current([two], Sample.disk(volume: "vol-2")) == "vol-2")
        #expect(self.current([one, two, made], Sample.disk(), of: "r-1") == "vol-3")
        #expect(self.current([one, two, made], Sample.disk(), of: "r-2") == "unclear")
        #expect(self.current([one, two, made], Sample.disk(volume: "vol-1"), of: "r-1") == "vol-3")
    }

    @Test func `volumes in quarantine, on their way out, in error, or of another disk are never it`() {
        let tags: [Tags] = [
            ["disk_name": "home", DiskTag.quarantined: "2026-01-01T00:00:00Z"], ["disk_name": "other"],
        ]
        let others =
            tags.map { Sample.volume("vol-1", tags: $0) }
            + [.deleting, .deleted, .error].map { Sample.volume("vol-1", state: $0) }
        for volume in others { #expect(self.current([volume], Sample.disk()) == "none") }
        #expect(
            self.current([Sample.volume("vol-1", tags: ["disk_name": "old"])], Sample.disk(volume: "vol-1"))
                == "vol-1"
        )
        let renamed = DiskVolumes(
            [Sample.volume("vol-1")],
            of: Sample.disk(),
            exceptThoseOf: [VolumeID(rawValue: "vol-1")]
        )
        #expect(renamed.live.isEmpty)
    }

    @Test func `a volume that the row names and nobody knows is missing`() {
        #expect(DiskVolumes([], of: Sample.disk(volume: "vol-1")).missing?.rawValue == "vol-1")
        #expect(
            DiskVolumes([Sample.volume("vol-1", state: .error)], of: Sample.disk(volume: "vol-1")).missing
                == nil
        )
        #expect(DiskVolumes([], of: Sample.disk()).missing == nil)
    }
}

@Suite struct DayTests {
    @Test(arguments: ["2026-02-28", "2024-02-29", "1970-01-01", "9999-12-31"])
    func `a day is read and written as it is`(text: String) {
        #expect(Day(wire: text)?.description == text)
    }

    @Test(arguments: [
        "2025-02-29", "2025-13-01", "2025-00-10", "25-01-01", "2025-1-1", "2025-01-01 ", "", "tomorrow",
    ])
    func `what is no day is refused`(text: String) {
        #expect(Day(wire: text) == nil)
    }

    @Test func `days are counted across months and years`() throws {
        let day = try #require(Day(wire: "2025-12-15"))
        #expect(day.adding(days: 30).description == "2026-01-14")
        #expect(day < day.adding(days: 1))
        #expect(Day(of: Sample.now).description == "2026-01-01")
        #expect(Day(of: Sample.now.addingTimeInterval(-1)).description == "2025-12-31")
    }
}
