/// What can be set about a worker.
package struct WorkerSettings: Sendable {
    /// The worker's name for people, in the ledger.
    package var name = "worker"

    /// The families of jobs to take, of `Topology.families`.
    package var families: [String] = Topology.families.keys.sorted()

    /// How many jobs may run at once; also how many deliveries each queue hands out at a time.
    package var concurrency = 64

    /// How long one try may take, where the kind says nothing else.
    package var deadline: Duration = .seconds(60)

    package var retries = RetrySchedule()

    /// After more starts than this without any fate, a job is poison.
    package var maximumStarts = 5

    /// How long a job of unknown kind waits for a newer replica, in `unknownKindSteps` steps.
    package var unknownKindWait: Duration = .seconds(600)
    package var unknownKindSteps = 3

    /// How long a job may snooze altogether.
    package var maximumSnooze: Duration = .seconds(24 * 3600)

    /// About how long a job stays away that someone else is at, or whose key someone else holds.
    package var busyDelay: Duration = .seconds(1)

    /// How long running jobs may go on after the end was asked for.
    package var shutdownGrace: Duration = .seconds(25)

    /// How long the ledger remembers a job that ended well.
    package var ledgerRetention: Duration = .seconds(14 * 24 * 3600)

    /// Destructive kinds only report what they would do.
    package var isDryRun = false

    package init() {}
}
