import ArgumentParser

/// `schema`: the JSON Schemas of the payloads.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of a kind's payload; without a kind, the kinds."
    )

    @Argument(help: "A kind, such as disk.create.")
    var kind: String?

    func run() throws {
        guard let kind else {
            for kind in EmbeddedSchemas.payloads.keys.sorted() { Terminal.print(kind) }
            return
        }
        guard let schema = EmbeddedSchemas.payloads[kind] else {
            throw ValidationError("there is no kind \(kind)")
        }
        Terminal.print(schema)
    }
}
