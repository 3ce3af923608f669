/// The kinds that share a queue and a dead-letter queue.
package struct JobFamily: Sendable {
    /// The first part of the names of its kinds: `disk` of `disk.create`.
    package let name: String

    /// Its queue, after the prefix of all names: `disks`.
    package let queue: String

    /// What a job is about whose handler never had a say, by the names in its payload; nil if it names nothing.
    ///
    /// The payload may be anything at all.
    let subject: @Sendable (JobBody) -> EventSubject?

    package init(_ name: String, queue: String, subject: @escaping @Sendable (JobBody) -> EventSubject?) {
        self.name = name
        self.queue = queue
        self.subject = subject
    }

    /// For bindings: what routing keys lead to its queue.
    var pattern: String { "\(self.name).#" }
}
