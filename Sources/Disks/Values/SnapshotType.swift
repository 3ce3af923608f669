import Jobs

/// Why a snapshot is taken; the value of the tag `SnapshotType`.
enum SnapshotType: String, Sendable, CaseIterable, PayloadValue {
    case shutdown, cancellation, migration, initial
}
