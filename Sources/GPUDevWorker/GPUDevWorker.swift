import ArgumentParser
import Glibc
import Jobs
import Postgres
import RabbitMQ

/// The program: reads its arguments, does one command, and says by its exit code what came of it.
@main
struct GPUDevWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gpudev-worker",
        abstract: "Runs the background jobs of a GPU dev-server platform.",
        discussion:
            "Settings come from the environment, and from files in CONFIG_DIRECTORY; see docs/operations.md.",
        version: Release.current.description,
        subcommands: [
            Run.self, Migrate.self, TopologyCommand.self, Enqueue.self, EventsCommand.self, JobsCommand.self,
            DeadCommand.self, ScheduleCommand.self, WorkersCommand.self, SchemaCommand.self, Doctor.self,
        ]
    )

    static func main() async {
        do {
            var command = try Self.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard let failure = Failure(error) else { Self.exit(withError: error) }
            for line in failure.lines { Terminal.complain(line) }
            Glibc.exit(failure.code.rawValue)
        }
    }
}
