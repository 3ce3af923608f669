import AWS
import FoundationEssentials
import Jobs

/// What is to become of the snapshots of one disk.
struct Pruning: Sendable {
    /// Those of a deleted disk that do not carry its day yet.
    private(set) var unmarked: [Snapshot] = []

    /// Those that newer ones make superfluous, oldest first.
    private(set) var superfluous: [Snapshot] = []

    /// Those whose day has come.
    private(set) var due: [Snapshot] = []

    /// Safety copies of quarantined volumes that have been kept for long enough.
    private(set) var outdatedCopies: [Snapshot] = []

    /// Those that are marked with what is no day.
    private(set) var unreadable: [Snapshot] = []

    /// Whether the row may go too, when all that is due is gone.
    private(set) var isRowDue = false

    /// How many of one disk go at a time because of newer ones.
    static let mostSuperfluous = 10

    /// What retention keeps, whatever its age.
    private static let leastKept = 3
    private static let leastAge: TimeInterval = 7 * 86_400

    /// How long a snapshot stays whose disk has no row, after its day.
    private static let graceWithoutRow = 7

    init() {}

    /// - Parameters:
    ///   - snapshots: All that carry the tags of the disk, safety copies too.
    ///   - row: The disk's row; nil if it has none.
    ///   - now: The time that counts.
    ///   - retention: How long the data of a deleted disk is kept at least.
    init(_ snapshots: [Snapshot], of row: Disk?, at now: Date, _ retention: DiskRetention = DiskRetention()) {
        let copies = snapshots.filter { $0.tags[DiskTag.safetySnapshot] != nil }
        let own = snapshots.filter { $0.tags[DiskTag.safetySnapshot] == nil }
        for copy in copies { self.judge(copy: copy, at: now) }
        let isKept = row.map { !retention.isOver(sinceDeletion: $0.markedDeleted, at: now) } ?? false
        for snapshot in own { self.judge(marked: snapshot, of: row, today: Day(of: now), isKept: isKept) }
        if let day = row?.dueDate {
            self.unmarked = own.filter { $0.tags[DiskTag.deleteDate] == nil }
            self.isRowDue = !isKept && day <= Day(of: now) && self.due.count == own.count
        } else if row != nil {
            self.superfluous = Self.superfluous(among: own, at: now)
        }
    }

    private mutating func judge(copy: Snapshot, at now: Date) {
        guard copy.keptAsCopyUntil != nil else { return self.unreadable.append(copy) }
        if copy.isOutdated(at: now) { self.outdatedCopies.append(copy) }
    }

    private mutating func judge(marked snapshot: Snapshot, of row: Disk?, today: Day, isKept: Bool) {
        guard let mark = snapshot.tags[DiskTag.deleteDate] else { return }
        guard let day = Day(wire: mark) else {
            self.unreadable.append(snapshot)
            return
        }
        let isDue =
            if let row {
                day <= today && row.dueDate.map { $0 <= today } ?? false
            } else {
                day.adding(days: Self.graceWithoutRow) < today
            }
        if isDue, !isKept { self.due.append(snapshot) }
    }

    private static func superfluous(among snapshots: [Snapshot], at now: Date) -> [Snapshot] {
        snapshots
            .filter { $0.state == .completed && $0.tags[DiskTag.safetySnapshot] == nil }
            .sorted { $1.isOlder(than: $0) }
            .dropFirst(Self.leastKept)
            .filter { now.timeIntervalSince($0.startTime) > Self.leastAge && $0.isKept }
            .reversed()
    }
}
