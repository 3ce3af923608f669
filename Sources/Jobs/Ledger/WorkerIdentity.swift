/// Who holds a claim: what people know it by, and a number for PostgreSQL.
package struct WorkerIdentity: Sendable {
    /// Such as `worker-7d9f-2xkqp/41`.
    package let name: String

    /// The advisory lock that this worker's session holds for as long as it lives; random, so never used twice.
    package let lock: Int64

    /// The release that it runs.
    package let version: String

    /// The families of jobs that it takes.
    package let queues: [String]

    /// How many jobs it runs at once.
    package let slots: Int

    package init(_ settings: WorkerSettings) {
        self.name = settings.name
        self.version = settings.version
        self.queues = settings.families
        self.slots = settings.concurrency
        self.lock = Int64.random(in: 1...Int64.max)
    }
}
