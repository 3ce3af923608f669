import RabbitMQ

/// The exchanges and queues that the worker and its producers agree on.
package struct Topology: Sendable {
    /// The families of jobs, each with a queue and a dead queue, and the routing keys that lead there.
    package static let families = [
        "disks": "disk.#", "reservations": "reservation.#", "capacity": "capacity.#",
    ]

    /// The first part of all names.
    package let prefix: String

    /// Whether a stream keeps all events of the last week.
    package let keepsEvents: Bool

    package init(prefix: String = "gpudev", keepsEvents: Bool = true) {
        self.prefix = prefix
        self.keepsEvents = keepsEvents
    }

    package var jobsExchange: String { "\(self.prefix).jobs" }
    package var eventsExchange: String { "\(self.prefix).events" }
    package var deadExchange: String { "\(self.prefix).dead" }
    package var eventsLog: String { "\(self.prefix).events.log" }

    package func queue(_ family: String) -> String { "\(self.prefix).\(family)" }
    package func deadQueue(_ family: String) -> String { "\(self.prefix).\(family).dead" }

    func exchange(_ destination: OutboxMessage.Destination) -> String {
        "\(self.prefix).\(destination.rawValue)"
    }

    /// Every queue with the exchange and routing key that it is bound to.
    package var queues: [DeclaredQueue] {
        let families = Self.families.sorted { $0.key < $1.key }
        let work = families.map { family, pattern in
            DeclaredQueue(
                name: self.queue(family),
                exchange: self.jobsExchange,
                routingKey: pattern,
                arguments: [
                    "x-queue-type": "quorum",
                    "x-dead-letter-exchange": .string(self.deadExchange),
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                    "x-delivery-limit": 20,
                ],
            )
        }
        let dead = families.map { family, pattern in
            DeclaredQueue(
                name: self.deadQueue(family),
                exchange: self.deadExchange,
                routingKey: pattern,
                // Looking at a letter returns it to the queue, which must never wear it out.
                arguments: ["x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000],
            )
        }
        let log = DeclaredQueue(
            name: self.eventsLog,
            exchange: self.eventsExchange,
            routingKey: "#",
            arguments: ["x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": 1_073_741_824],
        )
        return work + dead + (self.keepsEvents ? [log] : [])
    }
}
