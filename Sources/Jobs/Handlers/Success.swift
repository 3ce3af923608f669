/// What a successful job records: all of it commits together with the ledger and the completion event.
package struct Success: Sendable {
    /// The thing concerned, such as `disk/alice/home`.
    package let subject: EventSubject

    /// The `data` of the completion event.
    package let data: any EventData

    /// The statements of the one transaction, in order.
    package let writes: [Write]

    package init(subject: EventSubject, data: any EventData, writes: [Write] = []) {
        self.subject = subject
        self.data = data
        self.writes = writes
    }
}
