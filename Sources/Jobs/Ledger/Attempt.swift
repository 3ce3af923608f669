/// One try that did not succeed.
struct Attempt: Sendable {
    /// `retry` or `dead`.
    let fate: String
    let reason: Reason
    let start: ContinuousClock.Instant
}
