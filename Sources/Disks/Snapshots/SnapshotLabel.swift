import AWS
import FoundationEssentials
import Jobs
import Platform

/// How a snapshot is described and tagged, so that it is known whose it is and why it was taken.
struct SnapshotLabel: Sendable {
    let user: UserID
    let disk: DiskName
    let type: SnapshotType
    var content: ContentURI?
    var usage: DiskUsage?
    /// The day from which it may be purged, if its disk is deleted.
    var deleteDate: Day?

    var description: String {
        let usage = self.usage.map { " (\($0.text))" } ?? ""
        return "gpu-dev \(self.type.rawValue) snapshot for \(self.user) (disk: \(self.disk))\(usage)"
    }

    /// Nothing is decided by the time in them.
    func tags(at now: Date = Date()) -> Tags {
        let seconds = String(Int(now.timeIntervalSince1970))
        var tags: Tags = [
            DiskTag.user: self.user.description,
            DiskTag.disk: self.disk.description,
            DiskTag.name: "gpu-dev-\(self.type.rawValue)-\(self.user.localPart)-\(seconds)",
            DiskTag.createdAt: seconds,
            DiskTag.snapshotType: self.type.rawValue,
            DiskTag.olderSnapshotType: self.type.rawValue,
        ]
        tags[DiskTag.content] = self.content?.text
        tags[DiskTag.usage] = self.usage?.text
        if let deleteDate { tags.merge(Self.tags(deleting: deleteDate, at: now)) { $1 } }
        return tags
    }

    /// What marks a snapshot of a deleted disk.
    static func tags(deleting day: Day, at now: Date) -> Tags {
        [DiskTag.deleteDate: day.description, DiskTag.markedDeletedAt: now.rfc3339]
    }
}

extension Snapshot {
    /// Whether it carries a mark of a deletion.
    var isMarked: Bool { self.tags[DiskTag.deleteDate] != nil || self.tags[DiskTag.markedDeletedAt] != nil }
}

extension EC2Client {
    /// Takes the marks of a deletion off snapshots.
    func unmark(_ snapshots: [SnapshotID], deadline: ContinuousClock.Instant) async throws(AWSError) {
        try await self.deleteTags(
            [DiskTag.deleteDate, DiskTag.markedDeletedAt],
            from: snapshots,
            deadline: deadline
        )
    }
}
