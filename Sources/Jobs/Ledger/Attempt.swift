/// One attempt that did not succeed.
struct Attempt: Sendable {
    /// `retry` or `dead`.
    let outcome: RecordedOutcome
    let reason: Reason
    let start: ContinuousClock.Instant
}

/// How a run of a job ended, in the words of the ledger, the metrics, the log and the traces, where it is called `fate`.
enum RecordedOutcome: String, Sendable, CaseIterable {
    case succeeded, retry, snooze, dead, cancelled, interrupted
}
