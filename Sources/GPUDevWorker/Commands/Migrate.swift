import ArgumentParser
import Postgres

/// `migrate`: brings the database to the schema that this program needs.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the database to the current schema; safe to repeat and to run twice at once."
    )

    @Flag(help: "Only say whether something is missing; exit code 1 if so.")
    var check = false

    func run() async throws {
        let database = try await Settings.load { $0.database() }
        try await Connections.withSession(database.direct) { session in
            if self.check {
                let status = try await EmbeddedSchemas.migrations.check(on: session)
                guard status.isCurrent else {
                    throw Failure(
                        .failed,
                        "missing steps: \(status.pending); changed steps: \(status.changed)"
                    )
                }
                return Terminal.print("the schema is current")
            }
            let applied = try await EmbeddedSchemas.migrations.apply(on: session, acceptsUnknown: true)
            for version in applied { Terminal.print("applied migration \(version)") }
            if applied.isEmpty { Terminal.print("the schema is current already") }
        }
    }
}
