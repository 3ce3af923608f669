/// What people read about a kind and its event, in the schemas and the documents.
package struct KindDocumentation: Sendable {
    /// A heading, such as "Take a snapshot of a disk".
    let title: String

    /// What it does, as the end of a sentence: one line of a table.
    package let summary: String

    /// All that a producer should know.
    let description: String

    /// Payloads.
    let examples: [JSONNode]

    let event: Event

    package struct Event: Sendable {
        let title: String
        let description: String
        let examples: [JSONNode]

        /// `examples` are data of such events.
        package init(_ title: String, _ description: String, examples: [JSONNode]) {
            self.title = title
            self.description = description
            self.examples = examples
        }
    }

    package init(
        _ title: String,
        summary: String,
        _ description: String,
        examples: [JSONNode],
        event: Event
    ) {
        self.title = title
        self.summary = summary
        self.description = description
        self.examples = examples
        self.event = event
    }
}
