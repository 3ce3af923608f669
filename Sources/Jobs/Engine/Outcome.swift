import Postgres

/// What is to be recorded of an attempt.
enum Outcome {
    /// `onConflict` decides what a constraint violation means; without it, the job is retried.
    case success(Success, onConflict: ((PostgresError) async throws -> Outcome)?)

    /// The job comes back after a while.
    case again(after: Duration, Reason, usesAttempt: Bool)

    /// The job comes back a little later for another replica to take, unless that has been in vain too often.
    case leftToOthers(Reason)

    /// `triedInVain` is there if the handler's attempt ended in this, and says why.
    case dead(FinalFailure, triedInVain: Reason?, writes: [Write] = [])
}
