import AWS
import FoundationEssentials
import Jobs

/// The one rule of how long the copy of a volume that was in quarantine is kept after the volume.
enum SafetyCopy {
    /// How long at least, in days.
    static let retentionDays = 90
}

extension Snapshot {
    /// Until when it is kept as a safety copy, by its own tags; nil for what is none, or whose times cannot be read.
    ///
    /// What its tag says counts where that is more than the least.
    var keptAsCopyUntil: Date? {
        guard self.tags[DiskTag.safetySnapshot] == "true",
            let since = self.tags[DiskTag.quarantineDeletion].flatMap({ Date(rfc3339: $0) }),
            let days = Int(self.tags[DiskTag.retentionDays] ?? "\(SafetyCopy.retentionDays)")
        else { return nil }
        return since.addingTimeInterval(Double(max(days, SafetyCopy.retentionDays)) * 86_400)
    }

    /// Whether it is a safety copy that has been kept for long enough.
    ///
    /// Times that cannot be read keep it for ever.
    func isOutdated(at now: Date) -> Bool { self.keptAsCopyUntil.map { now > $0 } ?? false }
}
