import Jobs

/// Somebody changed the records each time between our look and our change; the next attempt of the job looks again.
struct RecordContention: Error, DescribedFailure {
    var failureCode: String { "InvalidChangeBatch" }
    var isWorthAnotherTry: Bool { true }
}
