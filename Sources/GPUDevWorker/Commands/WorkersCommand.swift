import ArgumentParser
import Jobs

/// `workers`: the replicas.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "List the workers that are there.",
        subcommands: [List.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the workers, the oldest first, with what each takes and when it was seen."
        )

        @Flag(help: "Print an array of objects.")
        var json = false

        func run() async throws {
            let database = try await Settings.load { $0.database() }
            let workers = try await Connections.withDatabase(database.pooled) {
                try await WorkersTable($0).list()
            }
            if self.json { return Terminal.print(workers) }
            let columns = ["name", "version", "state", "queues", "slots", "running", "started_at", "seen_at"]
            Terminal.print(columns.joined(separator: "  "))
            for row in try JSONTable(workers).rows {
                Terminal.print(columns.map { row[$0] ?? "-" }.joined(separator: "  "))
            }
        }
    }
}
