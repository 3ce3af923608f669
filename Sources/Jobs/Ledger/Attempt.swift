/// One attempt that did not succeed.
struct Attempt: Sendable {
    /// `retry` or `dead`.
    let outcome: RecordedOutcome
    let reason: Reason
    let start: ContinuousClock.Instant
}
