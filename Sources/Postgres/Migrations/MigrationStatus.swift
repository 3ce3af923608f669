/// How the migrations known to the program compare with those of a database, by version.
package struct MigrationStatus: Equatable, Sendable {
    /// Applied, and the same here as there.
    package var applied: [Int] = []
    /// Known here and not applied.
    package var pending: [Int] = []
    /// Applied, and not the same here as there.
    package var changed: [Int] = []
    /// Applied, and not known here: the database is newer than the program.
    package var unknown: [Int] = []

    package init() {}

    /// Whether the program has all that it needs; a newer database is no obstacle.
    package var isCurrent: Bool { self.pending.isEmpty && self.changed.isEmpty }
}
