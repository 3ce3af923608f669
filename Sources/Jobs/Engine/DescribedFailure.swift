/// An error of a client that says whether another attempt of the job may help.
package protocol DescribedFailure: Error {
    /// A short word, such as AWS's `UnauthorizedOperation`.
    var failureCode: String { get }

    /// Whether the same call may succeed later.
    var isWorthAnotherTry: Bool { get }

    /// How long to wait at least before the next attempt; `nil` where that does not matter.
    var waitBeforeNextTry: Duration? { get }
}

extension DescribedFailure {
    package var waitBeforeNextTry: Duration? { nil }
}
