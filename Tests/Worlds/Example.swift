/// A history that once broke a rule, with as few steps as that took.
package struct Example: Sendable, CustomStringConvertible {
    /// What went wrong then.
    package let description: String
    let steps: [Step]

    private init(_ description: String, _ steps: [Step]) {
        self.description = description
        self.steps = steps
    }

    /// What is wrong with it now; nil if nothing is.
    package func violation() async throws -> BrokenWorld? {
        try await Place.with { try await History.violation(of: self.steps, 0, in: $0) }
    }

    /// Those that are kept.
    package static let all = [
        Example(
            "a volume that was left behind was handed out though a later session had ended in a snapshot",
            [
                .session(0, zone: 0, snapshot: .none, leaks: false, row: .nothing),
                .session(0, zone: 0, snapshot: .completed, leaks: false, row: .all),
            ]
        ),
        Example(
            "a disk was freed by the reconciliation before its release, and its volume stayed without a snapshot",
            [
                .open(0, zone: 0), .write(0), .end(0), .detach(0),
                .pass(minutes: 20), .job(.reconcileAll, 0, zone: 0, crash: .none),
            ]
        ),
        Example(
            "an older snapshot was handed out where the row knew of a newer one",
            [
                .session(0, zone: 0, snapshot: .completed, leaks: false, row: .all),
                .session(0, zone: 0, snapshot: .completed, leaks: false, row: .all),
                .loseTag(0, ofVolume: false, user: false),
            ]
        ),
        Example(
            "an empty volume was handed out where the row counted a snapshot",
            [
                .session(0, zone: 0, snapshot: .completed, leaks: false, row: .all),
                .loseTag(0, ofVolume: false, user: true),
            ]
        ),
        Example(
            "a session whose volume had vanished was released as if the snapshot of an earlier one were its data",
            [
                .session(0, zone: 0, snapshot: .completed, leaks: false, row: .all),
                .open(0, zone: 0), .write(0), .vanish(0, leavesError: false),
            ]
        ),
        Example(
            "a mark on the newest snapshot hid it from the restore of a disk that lives",
            [
                .session(0, zone: 0, snapshot: .completed, leaks: false, row: .all),
                .mark(0, days: 20),
                .job(.restore, 0, zone: 0, crash: .none),
            ]
        ),
        Example(
            "a volume made from another's snapshot was set aside for that other, which had more snapshots",
            [
                .session(0, zone: 0, snapshot: .completed, leaks: true, row: .nothing),
                .session(0, zone: 0, snapshot: .none, leaks: true, row: .all),
            ]
        ),
        Example(
            "a younger volume was set aside for an older one whose snapshot had begun before it was made",
            [
                .session(0, zone: 0, snapshot: .pending, leaks: true, row: .nothing),
                .session(0, zone: 0, snapshot: .none, leaks: true, row: .all),
                .pass(minutes: 70),
            ]
        ),
        Example(
            "a disk whose row named another user's volume had a volume of its own that nobody told of",
            [
                .session(0, zone: 1, snapshot: .pending, leaks: false, row: .count),
                .open(2, zone: 1), .misname(0), .vanish(2, leavesError: true),
            ]
        ),
        Example(
            "a snapshot was taken of another user's volume that had lost its tag and that two rows named",
            [
                .session(0, zone: 1, snapshot: .completed, leaks: false, row: .count),
                .open(2, zone: 0), .misname(0), .loseTag(2, ofVolume: true, user: true),
                .job(.restore, 0, zone: 1, crash: .beforeRecord),
            ]
        ),
        Example(
            "a snapshot was taken of another user's volume that had lost its tag and that only a reservation of his named",
            [
                .session(0, zone: 1, snapshot: .completed, leaks: false, row: .all),
                .session(2, zone: 1, snapshot: .none, leaks: false, row: .count),
                .session(2, zone: 1, snapshot: .completed, leaks: false, row: .nothing),
                .misname(0), .loseTag(2, ofVolume: true, user: true),
            ]
        ),
        Example(
            "another user's volume was handed out that had lost its tag and that only a reservation of his named",
            [
                .session(0, zone: 1, snapshot: .completed, leaks: false, row: .all),
                .session(2, zone: 0, snapshot: .pending, leaks: false, row: .all),
                .misname(0), .loseTag(2, ofVolume: true, user: true),
            ]
        ),
        Example(
            "the only snapshot was purged by a mark while a rename had moved it and not yet the row",
            [
                .session(0, zone: 1, snapshot: .completed, leaks: false, row: .nothing),
                .mark(0, days: -40),
                .job(.prune, 2, zone: 0, crash: .beforeRecord),
                .rename(0, to: 1, crash: .afterChanges(0)),
            ]
        ),
        Example(
            "an empty volume was handed out while a rename had moved the snapshots of a row that counted none",
            [
                .session(0, zone: 1, snapshot: .completed, leaks: false, row: .all),
                .forgetRow(0),
                .job(.create, 0, zone: 0, crash: .none),
                .rename(0, to: 1, crash: .afterChanges(0)),
                .job(.restore, 0, zone: 0, crash: .none),
            ]
        ),
    ]
}
