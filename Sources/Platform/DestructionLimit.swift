package import Jobs

/// The guard of sweeps: one that would remove much of what it knows has probably misread something.
package enum DestructionLimit {
    /// How many things a sweep that knows `known` of them may end or delete in one run.
    package static func most(of known: Int) -> Int { max(10, known / 5) }

    /// The same as what one class of things may lose in one run: the first so many go, the others are deferred.
    package static func allowance(of known: Int) -> Int { self.most(of: known) }

    /// Why the sweep stops before it removes anything, or nil if `doomed` things are not too many.
    package static func refusal(removing doomed: Int, of known: Int, _ things: String) -> Reason? {
        guard doomed > self.most(of: known) else { return nil }
        let message =
            "\(doomed) of \(known) \(things) would go, which is more than \(self.most(of: known)): nothing was done; "
            + "see that what the sweep reads is right, then remove them with jobs that name them"
        return Reason("mass-destruction", message)
    }
}
