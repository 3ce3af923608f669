import Postgres
package import RabbitMQ

/// The exchanges and queues that the worker and its producers agree on.
package struct Topology: Sendable {
    /// The families of jobs, each with a queue and a dead queue.
    package let families: [JobFamily]

    /// The first part of all names.
    package let prefix: String

    /// Whether a stream keeps all events of the last week.
    package let keepsEvents: Bool

    package init(prefix: String = "gpudev", families: [JobFamily], keepsEvents: Bool = true) {
        self.prefix = prefix
        self.families = families
        self.keepsEvents = keepsEvents
        self.jobsExchange = "\(prefix).jobs"
        self.eventsExchange = "\(prefix).events"
        self.deadExchange = "\(prefix).dead"
    }

    package let jobsExchange: String
    package let eventsExchange: String
    package let deadExchange: String
    package var eventsLog: String { "\(self.prefix).events.log" }

    package func queue(_ family: String) -> String { "\(self.prefix).\(family)" }
    package func deadQueue(_ family: String) -> String { "\(self.prefix).\(family).dead" }

    /// The queue that jobs of a kind get to; nil if there is none.
    package func queue(of kind: JobKind) -> String? {
        self.family(kind.family).map { self.queue($0.queue) }
    }

    /// Whether a message with this routing key gets to a queue.
    func leads(_ routingKey: String) -> Bool {
        self.family(JobKind(routingKey).family) != nil
    }

    /// What a job is about whose handler never had a say; nil if its payload names nothing.
    func subject(of kind: JobKind, _ payload: JobBody) -> EventSubject? {
        self.family(kind.family)?.subject(payload)
    }

    /// The family of a name, which is the first part of a kind or a routing key.
    private func family(_ name: Substring) -> JobFamily? { self.families.first { $0.name == name } }

    /// The routing key to the dead queue that belongs to `queue`, for a message whose own leads nowhere.
    func keyOfMalformed(from queue: String) -> String {
        let family = self.families.first { self.queue($0.queue) == queue } ?? self.families.first
        return "\(family?.name ?? "").malformed"
    }

    func exchange(_ destination: Destination) -> String {
        "\(self.prefix).\(destination.rawValue)"
    }

    /// Every queue with the exchange that it is bound to, and for which routing keys.
    package var queues: [DeclaredQueue] {
        let work = self.families.map { family in
            DeclaredQueue(
                name: self.queue(family.queue),
                exchange: self.jobsExchange,
                routingKeys: [family.pattern],
                arguments: [
                    "x-queue-type": "quorum",
                    "x-dead-letter-exchange": .string(self.deadExchange),
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                    "x-delivery-limit": 20,
                ],
            )
        }
        let dead = self.families.map { family in
            DeclaredQueue(
                name: self.deadQueue(family.queue),
                exchange: self.deadExchange,
                // What the broker dead-letters of messages that came by the name of their queue has that as its key.
                routingKeys: [family.pattern, self.queue(family.queue)],
                // Looking at a dead-letter message returns it to the queue, which must never wear it out.
                arguments: ["x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000],
            )
        }
        let log = DeclaredQueue(
            name: self.eventsLog,
            exchange: self.eventsExchange,
            routingKeys: ["#"],
            arguments: ["x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": 1_073_741_824],
        )
        return work + dead + (self.keepsEvents ? [log] : [])
    }
}

/// An exchange, without the prefix of its name.
enum Destination: String, CaseIterable, PostgresBindable, PostgresReadable {
    case jobs, events, dead
}

/// One queue as it must be.
package struct DeclaredQueue: Sendable, Equatable {
    package let name: String
    package let exchange: String
    /// All that it is bound for, each a pattern of a topic exchange.
    package let routingKeys: [String]
    package let arguments: FieldTable
}
