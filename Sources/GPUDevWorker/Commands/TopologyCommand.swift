import ArgumentParser
import Jobs

/// `topology`: the exchanges and queues.
struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Check or declare the exchanges and queues.",
        subcommands: [Check.self, Declare.self]
    )

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what is missing or unsafe; exit code 1 if so."
        )

        func run() async throws {
            let (broker, topology) = try await Settings.load({ $0.broker() }, { $0.topology() })
            let faults = try await Connections.withBroker(broker) { try await topology.faults(on: $0) }
            for fault in faults { Terminal.print(fault) }
            guard faults.isEmpty else { throw ExitCode(Failure.Code.failed.rawValue) }
            Terminal.print("exchanges and queues are as they must be")
        }
    }

    struct Declare: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create what is missing; what is there is never changed."
        )

        func run() async throws {
            let (broker, topology) = try await Settings.load({ $0.broker() }, { $0.topology() })
            try await Connections.withBroker(broker) { try await topology.declare(on: $0) }
            for queue in topology.queues {
                Terminal.print(
                    "queue \(queue.name) on \(queue.exchange) for \(queue.routingKeys.joined(separator: ", "))"
                )
            }
        }
    }
}
