import Jobs

/// An amount of GPUs that is no whole number: what is said of the cluster cannot be right.
struct UncountableGPUs: DescribedFailure, CustomStringConvertible {
    /// Whose they are.
    let owner: String

    var failureCode: String { "uncountable-gpus" }
    var isWorthAnotherTry: Bool { true }
    var description: String { "the GPUs of \(self.owner) are no whole number" }
}
