import FoundationEssentials

/// How soon data may be deleted for good, and how much of it in an hour.
package struct DiskRetention: Sendable {
    /// The least time between the recording of a deletion in PostgreSQL and the end of the data.
    package var minimum: Duration

    /// How many snapshots all jobs together may delete in an hour.
    package var deletionsPerHour: Int

    /// A week, and 300 snapshots an hour, unless something else is set.
    package init(minimum: Duration = .seconds(7 * 86_400), deletionsPerHour: Int = 300) {
        self.minimum = minimum
        self.deletionsPerHour = deletionsPerHour
    }

    /// The first day on which data may be purged whose deletion was recorded at that time.
    func earliestDay(ofDeletion time: Date) -> Day { Day(of: time.addingTimeInterval(self.seconds)) }

    /// Whether enough time has passed; a deletion whose time is not known is too young.
    func isOver(sinceDeletion time: Date?, at now: Date) -> Bool {
        time.map { now.timeIntervalSince($0) >= self.seconds } ?? false
    }

    var seconds: TimeInterval { TimeInterval(self.minimum.components.seconds) }
}
