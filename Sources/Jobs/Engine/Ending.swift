import Postgres

/// What will be recorded of one start of a job.
enum Ending {
    /// `onConflict` decides what a constraint violation means; without it, one is worth another try.
    case success(Success, onConflict: ((PostgresError) async throws -> Ending)?)

    /// The job comes back after a while.
    case again(after: Duration, Reason, usesAttempt: Bool)

    /// The job comes back a little later for another replica to take, unless that has been in vain too often.
    case leftToOthers(Reason)

    /// `triedInVain` is there if a try of the handler ended in this, and says why.
    case dead(FinalFailure, triedInVain: Reason?, writes: [Write] = [])
}
