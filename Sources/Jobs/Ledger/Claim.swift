/// One start of a job that this worker holds.
package struct Claim: Sendable {
    package let job: JobID

    /// Until when the job is held, at the earliest; nothing may be done for it any more after that.
    var expiry: ContinuousClock.Instant

    /// Which start since the last attempt that ended, counted from 1; those before were left without an outcome.
    let start: Int

    /// The attempts that have ended before.
    let attempts: Int

    /// How often the job has died before.
    let deaths: Int

    /// How often it has been snoozed.
    let snoozes: Int

    /// How often it has been put off, whatever for; each time a message for the next turn went into the outbox.
    let turns: Int

    /// Who asked for it.
    var requester = Requester.nobody

    /// When the kind has a failed attempt repeated; nil for the worker's default.
    var retries: RetrySchedule?

    /// What the kind has to record should the job fail for good in this run, whatever the cause.
    var onDeath: @Sendable (Reason) -> [Write] = { _ in [] }

    /// Whether the start before was left without an outcome, so that what it did last is not known.
    let followsUnsettledStart: Bool

    /// How long it has been snoozing, since the first time.
    let waited: Duration

    /// Whether the job has never been started before.
    var isFirst: Bool { self.start == 1 && self.attempts == 0 && self.turns == 0 && self.deaths == 0 }

    /// Whether two starts before were left without an outcome: it may be the job that ends its worker, and runs alone.
    var isSuspect: Bool { self.start > 2 }

    /// The number of the attempt that this start is.
    var attempt: Int { self.attempts + 1 }
}

/// What the ledger says to a worker that wants to start a job.
enum ClaimOutcome: Sendable {
    case claimed(Claim)

    /// Succeeded, dead or cancelled, or another message of the job has its next turn; nothing is left to do.
    case finished(state: String)

    /// Someone else is at it, or it must pause for so long.
    case busy(atLeast: Duration = .zero)

    /// Another job holds this key, which the job needs alone.
    case held(key: String)
}
