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

    package let authority: Authority

    let event: Event

    /// Who may send such jobs, and what keeps them from another's things; cells of the threat model's table.
    package struct Authority: Sendable {
        package let sentBy, canHarm, undoneBy, provedBy: String

        /// - Parameters:
        ///   - sentBy: Whose account sends it.
        ///   - canHarm: What it can destroy or show.
        ///   - undoneBy: How that can be undone.
        ///   - provedBy: What proves that a thing is the job's owner's.
        package init(sentBy: String, canHarm: String, undoneBy: String, provedBy: String) {
            self.sentBy = sentBy
            self.canHarm = canHarm
            self.undoneBy = undoneBy
            self.provedBy = provedBy
        }
    }

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
        authority: Authority,
        event: Event
    ) {
        self.title = title
        self.summary = summary
        self.description = description
        self.examples = examples
        self.authority = authority
        self.event = event
    }
}
