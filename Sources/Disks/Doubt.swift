import AWS
import FoundationEssentials
import Jobs
import MetricFamilies
import Metrics
import Postgres

/// Why it is not clear where the newest data of a disk is.
struct Doubt: Sendable, Equatable {
    /// The closed set of reasons; the codes of events and the values of the metric's label.
    enum Code: String, Sendable, CaseIterable {
        case staleVolume = "stale-volume"
        case severalVolumes = "duplicate-volumes"
        case disputedVolume = "disputed-volume"
        case snapshotsMissing = "snapshots-missing"
        case olderSnapshot = "older-snapshot"
        case copiedSnapshot = "copied-snapshot"
        case lostVolume = "volume-missing"
        case noSnapshot = "no-snapshot"
    }

    let code: Code

    /// What disagrees, in words.
    let message: String

    var reason: Reason { Reason(self.code.rawValue, self.message) }

    /// Whether the reconciliation may settle it by itself, so that waiting makes sense.
    private var isForLater: Bool { self.code == .severalVolumes }

    static func staleVolume(_ volume: Volume, _ newer: Snapshot) -> Doubt {
        Doubt(
            code: .staleVolume,
            message: """
                volume \(volume.id) was made before snapshot \(newer.id) of volume \(newer.volumeID) began, so it \
                may be one that was left behind: tag the one that holds the newest data with \(DiskTag.newest)
                """
        )
    }

    static func volumeBeforeMissingSnapshot(_ volume: Volume, _ last: Date) -> Doubt {
        Doubt(
            code: .snapshotsMissing,
            message: """
                a snapshot was taken at \(last.rfc3339), after volume \(volume.id) was made, and cannot be found now: \
                tag the volume with \(DiskTag.newest) if it holds the newest data
                """
        )
    }

    static func severalVolumes(_ volumes: [Volume]) -> Doubt {
        let ids = volumes.map(\.id)
        return Doubt(
            code: .severalVolumes,
            message: "the disk has volumes \(ids), and which is the current one is not clear yet"
        )
    }

    static func disputedVolume(_ volume: Volume) -> Doubt {
        Doubt(
            code: .disputedVolume,
            message: """
                volume \(volume.id) has no tag of an owner, and rows of other disks, or of other users' \
                reservations, name it too: give it the tags \(DiskTag.user) and \(DiskTag.disk) of the disk that it \
                is of, and correct the rows of the others
                """
        )
    }

    static func snapshotsMissing(_ row: Disk, _ purpose: NewestState.Purpose) -> Doubt {
        guard purpose != .release else {
            let message = "neither the volume nor a good snapshot of the disk can be found; it stays held"
            return Doubt(code: .noSnapshot, message: message)
        }
        let message =
            if let last = row.lastSnapshot {
                "a snapshot was taken at \(last.rfc3339), but none that is good can be found now"
            } else {
                "the disk had \(row.snapshotCount) snapshots, but none that is good can be found now"
            }
        return Doubt(code: .snapshotsMissing, message: message)
    }

    static func olderSnapshot(_ newest: Snapshot, _ last: Date) -> Doubt {
        Doubt(
            code: .olderSnapshot,
            message: """
                a snapshot was taken at \(last.rfc3339), but the newest that can be found now is \(newest.id) of \
                \(newest.startTime.rfc3339): tag it with \(DiskTag.newest) if it is to be used
                """
        )
    }

    static func copiedSnapshot(_ copy: Snapshot) -> Doubt {
        Doubt(
            code: .copiedSnapshot,
            message: """
                snapshot \(copy.id) is a copy, and when its data is from is not known: tag the snapshot that holds \
                the newest data with \(DiskTag.newest)
                """
        )
    }

    static func lostVolume(_ volume: VolumeID, beside other: Volume) -> Doubt {
        Doubt(
            code: .lostVolume,
            message: """
                volume \(volume) is gone or in error, and volume \(other.id) was made before the disk was taken: what \
                was written since is in neither; tag what is to be used with \(DiskTag.newest)
                """
        )
    }

    static func lostVolume(_ volume: VolumeID, _ newest: Snapshot?, _ purpose: NewestState.Purpose) -> Doubt {
        guard let newest else {
            let message = "volume \(volume) is gone or in error, and there is no good snapshot of the disk"
            return Doubt(code: purpose == .release ? .noSnapshot : .lostVolume, message: message)
        }
        return Doubt(
            code: .lostVolume,
            message: """
                volume \(volume) is gone or in error, and snapshot \(newest.id) began before the disk was taken: what \
                was written since is in neither; tag the snapshot with \(DiskTag.newest) if it is to be used
                """
        )
    }
}

extension Doubt {
    /// Counts that a job did nothing for this reason.
    func count(in kind: JobKind) { Self.counter(of: self.code, in: kind).increment() }

    /// Lets every count begin at zero, so that the first doubt is seen as a rise.
    static func beginCounting() {
        for kind in Self.kinds {
            for code in Code.allCases { Self.counter(of: code, in: kind).increment(by: 0) }
        }
    }

    /// The kinds that ask where the newest data of a disk is.
    private static let kinds = [
        CreateSnapshot.kind, RestoreDisk.kind, ReleaseDisk.kind, DeleteDisk.kind, PruneSnapshots.kind,
        ReconcileVolume.kind, ReconcileAll.kind,
    ]

    private static func counter(of code: Code, in kind: JobKind) -> Counter {
        Self.unclearDisks([("kind", kind.name), ("doubt", code.rawValue)])
    }

    private static let unclearDisks = CounterFamily(
        "gpudev_disks_unclear_total",
        "Times that a disk was left alone, since it is unclear where its newest data is."
    )

    /// How soon to look again whether it has been settled.
    private static let pause: Duration = .seconds(15)

    /// How an attempt ends that must not go on: the job waits where the reconciliation may settle it, and is rejected
    /// else, with a row that says why.
    func conclusion(in kind: JobKind, of disk: Disk, isDryRun: Bool = false, writes: [Write] = [])
        -> Conclusion
    {
        if self.isForLater { return .snooze(Self.pause, self.reason) }
        guard !isDryRun else { return .rejected(self.reason) }
        self.count(in: kind)
        let note: SQL = """
            UPDATE disks SET operation_error = \(self.reason.description) WHERE disk_id = \(disk.id)
            """
        return .rejected(self.reason, writes: [Write(note)] + writes)
    }
}
