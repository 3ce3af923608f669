import Jobs

/// Others took every priority that was tried; the next attempt of the job looks again.
struct PriorityContention: Error, DescribedFailure {
    var failureCode: String { "PriorityInUse" }
    var isWorthAnotherTry: Bool { true }
}
