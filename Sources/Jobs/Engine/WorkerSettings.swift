/// What can be set about a worker.
package struct WorkerSettings: Sendable {
    /// The worker's name for people, in the ledger.
    package var name = "worker"

    /// The release of the program, for people.
    package var version = ""

    /// The queues to take jobs of, without prefix; all of the topology's if there are none.
    package var families: [String] = []

    /// How many jobs may run at once, of all queues together.
    package var concurrency = 64

    /// How many jobs of a kind may run at once, where that is limited.
    package var kindLimits: [JobKind: Int] = [:]

    /// How long one attempt may take, where the kind says nothing else.
    package var deadline: Duration = .seconds(60)

    package var retries = RetrySchedule()

    /// After so many starts in a row that were left without an outcome, a job is poison.
    package var maximumStarts = 5

    /// How long a job of unknown kind waits for a newer replica, in `unknownKindSteps` steps.
    package var unknownKindWait: Duration = .seconds(600)
    package var unknownKindSteps = 3

    /// How long a job may snooze altogether.
    package var maximumSnooze: Duration = .seconds(24 * 3600)

    /// About how long a job stays away that someone else is at.
    package var busyDelay: Duration = .seconds(1)

    /// After about how long a job checks whether the key that it waits for is free, should no notification come.
    package var longestPark: Duration = .seconds(30)

    /// How long running jobs may go on after the end was asked for.
    package var shutdownGrace: Duration = .seconds(25)

    /// How long the ledger remembers a job that ended; a dead one four times as long.
    package var ledgerRetention: Duration = .seconds(14 * 24 * 3600)

    /// Destructive kinds only report what they would do.
    package var isDryRun = false

    package init() {}
}
