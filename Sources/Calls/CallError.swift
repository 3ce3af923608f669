/// What went wrong with one attempt at a call, as far as the decision about another one needs to know it.
package protocol CallError: Error, CustomStringConvertible {
    /// Whether the same request, sent again in a moment, may well succeed.
    ///
    /// Narrower than what is worth another attempt of the whole job.
    var isTransient: Bool { get }

    /// Whether the server asked for fewer requests, for which the pauses are longer.
    var isThrottling: Bool { get }

    /// How long the server asks to wait before the next attempt; nil if it does not.
    var retryAfter: Duration? { get set }

    /// What the same call fails with when its task is cancelled.
    var asCancellation: Self { get }
}

/// Why one attempt failed, and what the decision about the next needs to know of it.
package struct AttemptFailure<Failure: CallError, Remedy: Identifiable & Sendable>: Error {
    package let error: Failure

    /// The most attempts of a call that fails like this, the first included; 1 where it may have begun to act.
    package let mostAttempts: Int

    /// What may help at once, best first; of each `id` one is applied in a call, and that counts as no attempt.
    package let remedies: [Remedy]

    package init(_ error: Failure, mostAttempts: Int, remedies: [Remedy] = []) {
        self.error = error
        self.mostAttempts = mostAttempts
        self.remedies = remedies
    }
}
