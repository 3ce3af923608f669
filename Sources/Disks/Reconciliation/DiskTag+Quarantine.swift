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
