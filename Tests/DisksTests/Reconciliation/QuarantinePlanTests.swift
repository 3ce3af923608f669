import AWS
import Foundation
import Jobs
import Testing

@testable import Disks

private let day = 86_400.0

private func copy(
    _ state: Snapshot.State,
    begun: Date = now - 60,
    _ id: SnapshotID = "snap-1",
    of volume: VolumeID = "vol-1"
) -> Snapshot {
    let tags = [DiskTag.safetySnapshot: "true", DiskTag.originalVolume: volume.rawValue]
    return snapshot(id, of: volume, disk: nil, state: state, begun: begun, tags: tags)
}

@Suite struct `A volume in quarantine` {
    @Test(arguments: [(29 * day + 23 * 3600, true), (30 * day + 1, false)])
    func `stays for thirty days`(_ age: TimeInterval, _ stays: Bool) {
        let plan = plan([], [quarantined("vol-1", since: now - age)])
        #expect(plan.statistics.cleanup_quarantined_found == 1)
        #expect(plan.statistics.cleanup_skipped_too_recent == (stays ? 1 : 0))
        #expect(plan.quarantine.copies.map(\.id) == (stays ? [] : ["vol-1"]))
        #expect(plan.quarantine.deletions.isEmpty)
    }

    @Test(arguments: ["", "yesterday", "2023-13-01T00:00:00Z"])
    func `is an error if its date cannot be read`(_ date: String) {
        let plan = plan([], [volume("vol-1", of: nil, tags: [DiskTag.quarantined: date])])
        #expect(plan.isIdle)
        #expect(plan.statistics.errors == 1)
    }

    @Test(arguments: [VolumeAttachment.State.attached, .detaching])
    func `is an error if it is attached`(_ state: VolumeAttachment.State) {
        let since = (now - 31 * day).formatted(.iso8601)
        let volume = volume("vol-1", attachment: state, tags: [DiskTag.quarantined: since])
        let plan = plan([], [volume], [copy(.completed)])
        #expect(plan.isIdle)
        #expect(plan.statistics.errors == 1)
    }

    @Test func `is an error if a row names it`() {
        let plan = plan([row("home", "vol-1")], [quarantined("vol-1")], [copy(.completed)])
        #expect(plan.isIdle)
        #expect(plan.statistics.errors == 1)
    }

    @Test func `is copied first, and deleted when the copy is complete`() throws {
        let volumes = [quarantined("vol-1")]
        #expect(plan([], volumes).quarantine.copies.map(\.id) == ["vol-1"])
        let pending = plan([], volumes, [copy(.pending)])
        #expect(pending.isIdle)
        #expect(pending.statistics.cleanup_waiting_snapshot == 1)
        let complete = plan([], volumes, [copy(.completed)])
        #expect(try #require(complete.quarantine.deletions.first).copy == "snap-1")
        #expect(complete.quarantine.copies.isEmpty)
    }

    @Test(arguments: [
        copy(.completed, begun: now - 32 * day), copy(.completed, "snap-1", of: "vol-2"), copy(.error),
        snapshot("snap-1", of: "vol-1"),
    ])
    func `is not deleted for the sake of another snapshot`(_ other: Snapshot) {
        let plan = plan([], [quarantined("vol-1")], [other])
        #expect(plan.quarantine.deletions.isEmpty)
        #expect(plan.quarantine.copies.map(\.id) == ["vol-1"])
    }

    @Test func `is not copied again after three failures`() {
        let failed = ["snap-1", "snap-2", "snap-3"].map { copy(.error, SnapshotID(rawValue: $0)) }
        let plan = plan([], [quarantined("vol-1")], failed)
        #expect(plan.isIdle)
        #expect(plan.statistics.errors == 1)
    }

    @Test func `waits while the snapshots are not known`() {
        let plan = plan([], [quarantined("vol-1")], nil)
        #expect(plan.isIdle)
        #expect((plan.statistics.cleanup_waiting_snapshot, plan.statistics.errors) == (1, 1))
    }

    @Test func `is not deleted together with too many others`() {
        let ids = (0..<11).map { VolumeID(rawValue: "vol-\($0)") }
        let copies = ids.map { copy(.completed, SnapshotID(rawValue: "snap-\($0)"), of: $0) }
        let plan = plan([], ids.map { quarantined($0) }, copies)
        #expect(plan.quarantine.deletions.count == 10)
        #expect((plan.statistics.deferred, plan.statistics.errors) == (ids.count - 10, 0))
    }

    @Test(
        arguments: [
            (8.0, nil, nil), (7.0, nil, 7), (6.0, "7", nil), (3.0, "7", 3), (2.0, "3", nil), (2.5, nil, 3),
            (0.9, "3", 1), (0.9, "1", nil), (0.1, "what", 1),
        ] as [(Double, String?, Int?)]
    )
    func `reminds its user once at seven, three and one days`(
        _ daysLeft: Double,
        _ reminded: String?,
        _ due: Int?,
    ) {
        let since = now - (30 - daysLeft) * day
        let tags: Tags = reminded.map { [DiskTag.quarantineReminded: $0] } ?? [:]
        let plan = plan([], [quarantined("vol-1", since: since, tags: tags)])
        #expect(plan.quarantine.reminders.map(\.days) == (due.map { [$0] } ?? []))
    }

    @Test(arguments: [(89.0, false), (91.0, true)])
    func `leaves a copy behind for ninety days`(_ age: Double, _ isOutdated: Bool) {
        let tags: Tags = [
            DiskTag.safetySnapshot: "true", DiskTag.originalVolume: "vol-1", DiskTag.retentionDays: "90",
            DiskTag.quarantineDeletion: (now - age * day).formatted(.iso8601),
        ]
        let copy = snapshot("snap-1", of: "vol-1", tags: tags)
        #expect(plan([], [], [copy]).quarantine.outdated.map(\.id) == (isOutdated ? ["snap-1"] : []))
        #expect(plan([], [quarantined("vol-1")], [copy]).quarantine.outdated.isEmpty)
    }

    @Test func `leaves a copy behind for ever if the date cannot be read`() {
        let tags: Tags = [DiskTag.safetySnapshot: "true", DiskTag.quarantineDeletion: "long ago"]
        #expect(plan([], [], [snapshot("snap-1", of: "vol-1", tags: tags)]).quarantine.outdated.isEmpty)
    }
}
