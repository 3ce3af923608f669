import Postgres

/// What will be recorded of one start of a job.
enum Ending {
    /// `onConflict` decides what a constraint violation means; without it, one is worth another try.
    case success(Success, onConflict: ((PostgresError) async throws -> Ending)?)

    /// The job comes back after a while.
    case again(after: Duration, Reason, usesAttempt: Bool)

    /// `triedInVain` is there if a try of the handler ended in this, and says why.
    case dead(Death, triedInVain: Reason?, writes: [Write] = [])
}
