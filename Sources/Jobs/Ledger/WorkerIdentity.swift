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

    package init(name: String, version: String, queues: [String], slots: Int) {
        self.name = name
        self.version = version
        self.queues = queues
        self.slots = slots
        self.lock = Int64.random(in: 1...Int64.max)
    }
}
