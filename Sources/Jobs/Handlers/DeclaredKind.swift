/// A kind as it is known without any setting: commands check by it, and the schemas are printed from it.
package struct DeclaredKind: Sendable {
    package let kind: JobKind

    /// A heading, such as "Take a snapshot of a disk".
    package let title: String

    /// What it does, in one line.
    package let summary: String

    /// Who may send it, and what keeps it from another's things.
    package let authority: KindDocumentation.Authority

    /// Names of the payload's fields, a `?` after those that may be left out.
    package let fieldNames: [String]

    /// Whether a job of this kind can only report what it would do, if its payload says `dry_run`.
    package let canRehearse: Bool

    /// The JSON Schema (2020-12) of the payload.
    package var payloadSchema: String { self.printPayloadSchema() }

    /// The JSON Schema (2020-12) of the event's data.
    package var eventSchema: String { self.printEventSchema() }

    private let printPayloadSchema: @Sendable () -> String
    private let printEventSchema: @Sendable () -> String
    private let decode: @Sendable (JobBody) throws(PayloadFaults) -> Void

    package init<Handler: JobDeclaration>(_ handler: Handler.Type) {
        let (kind, about) = (Handler.kind, Handler.documentation)
        let shape = Handler.Payload.shape
        self.kind = kind
        self.title = about.title
        self.summary = about.summary
        self.authority = about.authority
        self.fieldNames = shape.fieldNames
        self.canRehearse = shape.canRehearse
        self.printPayloadSchema = {
            Self.schema("jobs:\(kind)", about.title, about.description, shape.keywords, about.examples)
        }
        self.printEventSchema = {
            let (event, keywords) = (about.event, Handler.Event.shape.keywords)
            return Self.schema("events:\(kind)", event.title, event.description, keywords, event.examples)
        }
        self.decode = { (body) throws(PayloadFaults) in _ = try shape.decode(body) }
    }

    /// Throws `Malformed` or `PayloadFaults` if a worker would refuse the payload.
    package func check(_ payload: [UInt8]) throws { try self.decode(try JobBody(payload)) }

    static func schema(
        _ id: String,
        _ title: String,
        _ description: String,
        _ keywords: [JSONNode.Member],
        _ examples: [JSONNode]
    ) -> String {
        let head: [JSONNode.Member] = [
            .init("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            .init("$id", .text("urn:gpudev-worker:\(id)")), .init("title", .text(title)),
            .init("description", .text(description)), .init("type", .text("object")),
        ]
        let tail = JSONNode.Member("examples", .array(examples))
        return JSONNode.object(head + keywords + [tail]).description
    }
}
