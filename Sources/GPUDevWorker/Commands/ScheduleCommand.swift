import ArgumentParser
import Jobs
import Postgres

/// `schedule`: jobs that come again and again.
struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "List or change the jobs that are enqueued by the clock.",
        subcommands: [List.self, Set.self, Enable.self, Disable.self, Remove.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the schedules, in JSON.")

        func run() async throws {
            Terminal.print(try await ScheduleCommand.withRecords { try await $0.list() })
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make or replace a schedule.")

        @Argument(help: "Its name.")
        var name: String

        @Argument(help: "What the jobs do, such as disk.reconcile-volume.")
        var kind: String

        @Argument(help: "The payload, a JSON object.")
        var payload = "{}"

        @Option(help: "How often, such as 5m.")
        var every: String

        @Flag(help: "Take a kind or a payload that only a newer worker knows.")
        var force = false

        func run() async throws {
            guard let every = DurationText(self.every)?.duration, every >= .seconds(1) else {
                throw ValidationError("--every must be a duration of at least 1s, such as 5m")
            }
            let job = try JobSubmission(
                id: JobID(),
                kind: JobKind(self.kind),
                payload: [UInt8](self.payload.utf8),
                requestedBy: "schedule"
            )
            try BuiltInKinds.check(job.kind, job.payload, isForced: self.force)
            try await ScheduleCommand.withRecords {
                try await $0.set(self.name, kind: job.kind, payload: self.payload, every: every)
            }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let a schedule run.")

        @Argument(help: "Its name.")
        var name: String

        func run() async throws {
            try await ScheduleCommand.change(self.name) { try await $0.enable(self.name, true) }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Pause a schedule.")

        @Argument(help: "Its name.")
        var name: String

        func run() async throws {
            try await ScheduleCommand.change(self.name) { try await $0.enable(self.name, false) }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Forget a schedule.")

        @Argument(help: "Its name.")
        var name: String

        func run() async throws {
            try await ScheduleCommand.change(self.name) { try await $0.remove(self.name) }
        }
    }

    private static func withRecords<Result>(_ body: (SchedulesTable) async throws -> Result) async throws
        -> Result
    {
        let database = try await Settings.load { $0.database() }
        do {
            return try await Connections.withDatabase(database.pooled) { try await body(SchedulesTable($0)) }
        } catch let error as PostgresError where error.constraint == SchedulesTable.canRun {
            throw Failure(
                .usage,
                "such a schedule cannot run: its kind has to be a name such as disk.create, its payload an object, "
                    + "its period at most ten years"
            )
        }
    }

    private static func change(_ name: String, _ body: (SchedulesTable) async throws -> Bool) async throws {
        guard try await self.withRecords(body) else { throw Failure(.failed, "there is no schedule \(name)") }
    }
}
