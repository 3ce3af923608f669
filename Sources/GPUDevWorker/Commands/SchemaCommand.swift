import ArgumentParser
import Jobs

/// `schema`: the JSON Schemas of the payloads.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of a kind's payload; without a kind, the kinds."
    )

    @Argument(help: "A kind, such as disk.create.")
    var kind: String?

    @Flag(help: "Print the schema of the data of the kind's event instead.")
    var event = false

    @Flag(help: ArgumentHelp("Write schemas and tables of a checkout of the source.", visibility: .hidden))
    var write = false

    @Flag(help: ArgumentHelp("Check schemas and tables of a checkout of the source.", visibility: .hidden))
    var check = false

    @Option(help: ArgumentHelp("The folder of that checkout.", visibility: .hidden))
    var directory = "."

    func run() throws {
        let kinds = BuiltInKinds.all
        if self.write || self.check {
            return try self.generate(GeneratedFiles(of: kinds, in: self.directory))
        }
        guard let kind else {
            for declared in kinds { Terminal.print(declared.kind.name) }
            return
        }
        guard let declared = kinds.first(where: { $0.kind.name == kind }) else {
            throw ValidationError("there is no kind \(kind)")
        }
        Terminal.print(self.event ? declared.eventSchema : declared.payloadSchema)
    }

    private func generate(_ files: GeneratedFiles) throws {
        if self.write {
            for path in try files.write() { Terminal.print(path) }
            return
        }
        let differing = try files.check()
        guard differing.isEmpty else {
            throw Failure(
                .failed,
                "not as the kinds are declared: \(differing.joined(separator: ", "))",
                "`gpudev-worker schema --write` in the root of the checkout writes them"
            )
        }
    }
}
