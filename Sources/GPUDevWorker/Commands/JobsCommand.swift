import ArgumentParser
import FoundationEssentials
import Jobs

/// `jobs`: what the ledger knows.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List, show or cancel jobs.",
        subcommands: [List.self, Show.self, Cancel.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, the newest first.")

        @Option(help: "Only those in this state: running, waiting, succeeded, dead or cancelled.")
        var state: String?

        @Option(help: "Only those of this kind.")
        var kind: String?

        @Option(help: "Maximum number of jobs.")
        var limit = 50

        @Flag(help: "Print an array of objects with the ledger's columns.")
        var json = false

        func run() async throws {
            let database = try await Settings.load { $0.database() }
            let jobs = try await Connections.withDatabase(database.pooled) {
                try await JobsTable($0).list(state: self.state, kind: self.kind, limit: self.limit)
            }
            if self.json { return Terminal.print(json: jobs) }
            for row in try JSONTable(jobs).rows {
                let columns = [
                    "job_id", "kind", "state", "attempts", "created_at", "requested_by", "error_code",
                ]
                Terminal.print(columns.map { row[$0] ?? "-" }.joined(separator: "  "))
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all that is known of one job, in JSON: its row, failed tries, outgoing messages."
        )

        @Argument(help: "The job's id.")
        var job: String

        func run() async throws {
            let id = try JobsCommand.id(self.job)
            let database = try await Settings.load { $0.database() }
            let known = try await Connections.withDatabase(database.pooled) {
                try await JobsTable($0).show(id)
            }
            guard let known else { throw Failure(.failed, "the ledger knows no job \(id)") }
            Terminal.print(json: known)
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a job from starting, whether it has come yet or not."
        )

        @Argument(help: "The job's id.")
        var job: String

        func run() async throws {
            let id = try JobsCommand.id(self.job)
            let database = try await Settings.load { $0.database() }
            let result = try await Connections.withDatabase(database.pooled) {
                try await JobsTable($0).cancel(id)
            }
            switch result {
            case .cancelled: Terminal.print("job \(id) is cancelled")
            case .running: throw Failure(.failed, "job \(id) runs now and is left to finish")
            case .ended(let state): throw Failure(.failed, "job \(id) has ended already: \(state)")
            }
        }
    }

    private static func id(_ text: String) throws -> JobID {
        guard let id = JobID(text) else { throw ValidationError("a job's id is a UUID, not \(text)") }
        return id
    }
}
