/// Who holds a claim: a name for people, and a number for PostgreSQL.
package struct WorkerIdentity: Sendable {
    /// Such as `worker-7d9f-2xkqp/41`.
    package let name: String

    /// The advisory lock that this worker's session holds for as long as it lives; random, so never used twice.
    package let lock: Int64

    package init(name: String) {
        self.name = name
        self.lock = Int64.random(in: 1...Int64.max)
    }
}
