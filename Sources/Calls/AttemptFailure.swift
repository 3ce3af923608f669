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
