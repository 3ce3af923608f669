import AWS
import FoundationEssentials
import Jobs
import Platform

/// What is to become of the volumes in quarantine and of the copies that were made of earlier ones.
///
/// A volume is deleted in two runs at least: one begins the safety snapshot, and a later one, when that is complete,
/// deletes the volume.
struct QuarantinePlan: Sendable {
    /// A volume whose time is up and whose copy is complete.
    struct Deletion: Sendable {
        let volume: Volume
        let copy: SnapshotID
    }

    /// A word to the user that a volume has so many days left.
    struct Reminder: Sendable {
        let volume: Volume
        let days: Int
    }

    private(set) var found = 0
    private(set) var tooRecent = 0
    private(set) var waiting = 0
    private(set) var reminders: [Reminder] = []
    private(set) var copies: [Volume] = []
    private(set) var deletions: [Deletion] = []
    /// Safety snapshots that have been kept for as long as they must.
    private(set) var outdated: [Snapshot] = []
    private(set) var complaints: [Reason] = []
    /// What is due and left to later runs, because so much at once may have been misread.
    private(set) var deferred = 0

    /// How long a volume stays.
    static let term: TimeInterval = 30 * 86_400

    /// At how many days before the end the user is reminded.
    static let reminderDays = [1, 3, 7]

    /// So many copies that ended in error are enough.
    private static let mostFailures = 3

    init() {}

    /// - Parameters:
    ///   - inventory: What there is.
    ///   - named: The volumes that rows of live disks name; none of them is deleted.
    init(_ inventory: Inventory, named: Set<VolumeID>) {
        for volume in inventory.volumes.values where volume.tags[DiskTag.quarantined] != nil {
            self.found += 1
            self.decide(volume, inventory, isNamed: named.contains(volume.id))
        }
        self.outdated = Self.outdated(inventory)
        self.limit(inventory)
    }

    private mutating func decide(_ volume: Volume, _ inventory: Inventory, isNamed: Bool) {
        guard let since = volume.quarantinedSince else {
            return self.complain(volume, "has a quarantine tag with no time in it")
        }
        let left = since.addingTimeInterval(Self.term).timeIntervalSince(inventory.now)
        guard left <= 0 else {
            self.tooRecent += 1
            if let days = volume.dueReminder(left: left) {
                self.reminders.append(Reminder(volume: volume, days: days))
            }
            return
        }
        guard !volume.isAttached else {
            return self.complain(volume, "is attached though it is in quarantine")
        }
        guard volume.state == .available else {
            return self.complain(volume, "is in quarantine and neither available nor gone")
        }
        guard !isNamed else { return self.complain(volume, "is in quarantine, but a disk's row names it") }
        self.decideExpired(volume, copiedAfter: since, inventory.snapshots)
    }

    private mutating func decideExpired(
        _ volume: Volume,
        copiedAfter since: Date,
        _ snapshots: SnapshotCensus?
    ) {
        guard let snapshots else { return self.waiting += 1 }
        let copies = (snapshots.safetyCopies[volume.id] ?? []).filter { copy in
            copy.volumeID == volume.id && copy.startTime >= since
        }
        if let copy = copies.first(where: { $0.state == .completed }) {
            self.deletions.append(Deletion(volume: volume, copy: copy.id))
        } else if copies.contains(where: { $0.state != .error }) {
            self.waiting += 1
        } else if copies.count >= Self.mostFailures {
            self.complain(
                volume,
                "is in quarantine and cannot be copied: \(copies.count) snapshots ended in error"
            )
        } else {
            self.copies.append(volume)
        }
    }

    private mutating func complain(_ volume: Volume, _ what: String) {
        self.complaints.append(Reason("quarantine", "volume \(volume.id) of \(volume.ownerInWords) \(what)"))
    }

    /// Of each class the oldest go, as many as one run may delete.
    private mutating func limit(_ inventory: Inventory) {
        let (volumes, snapshots) = (inventory.volumes.count, inventory.snapshots?.total ?? 0)
        let due = self.deletions.count + self.outdated.count
        let oldest = self.deletions.sorted {
            $0.volume.quarantinedSince ?? .distantFuture < $1.volume.quarantinedSince ?? .distantFuture
        }
        self.deletions = Array(oldest.prefix(DestructionLimit.allowance(of: volumes)))
        self.outdated = Array(self.outdated.prefix(DestructionLimit.allowance(of: snapshots)))
        self.deferred = due - self.deletions.count - self.outdated.count
    }

    private static func outdated(_ inventory: Inventory) -> [Snapshot] {
        guard let copies = inventory.snapshots?.safetyCopies else { return [] }
        return copies.flatMap { volume, copies in
            inventory.volumes[volume] == nil ? copies.filter { $0.isOutdated(at: inventory.now) } : []
        }
    }
}

extension Volume {
    /// When it was put into quarantine, if that can be read.
    var quarantinedSince: Date? { self.tags[DiskTag.quarantined].flatMap { Date(rfc3339: $0) } }

    /// The user and the disk, as far as the tags name them.
    var ownerInWords: String {
        "\(self.tags[DiskTag.user] ?? "nobody") (disk: \(self.diskName ?? "none"))"
    }

    /// The reminder that is due with so many seconds left; nil if none is, or it was given already.
    fileprivate func dueReminder(left: TimeInterval) -> Int? {
        guard let days = QuarantinePlan.reminderDays.first(where: { left <= Double($0) * 86_400 }) else {
            return nil
        }
        let given = self.tags[DiskTag.quarantineReminded].flatMap { Int($0) }
        return given.map { $0 <= days } ?? false ? nil : days
    }
}

extension DiskTag {
    /// Free text for people; AWS takes 256 characters of it.
    static let quarantineReason = "gpu-dev-quarantine-reason"
    /// The last reminder that was given, in days before the end.
    static let quarantineReminded = "gpu-dev-quarantine-reminded"

    // On safety snapshots.
    static let originalVolume = "original-volume-id"
    static let quarantineTime = "quarantine-timestamp"
    /// When the volume was given up; the snapshot is kept for so many days from then.
    static let quarantineDeletion = "quarantine-deletion-date"
    static let retentionDays = "retention-days"
}
