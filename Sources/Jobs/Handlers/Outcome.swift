package import Postgres

/// What became of one try of a job.
///
/// Errors are for surprises; a fate is a decision.
package enum Outcome: Sendable {
    /// Done: all that it changes commits together with the ledger and the completion event.
    case success(Success)

    /// Try again later, at the cost of one attempt, and not before so long.
    case retry(Reason, after: Duration = .zero)

    /// Come back after a while, at no cost: what the job waits for has not happened yet.
    case snooze(Duration, Reason)

    /// This replica lacks the settings for it, others may have them: at no cost the job comes back a little later, to
    /// whoever takes it then.
    case leftToOthers(Reason)

    /// No try will ever succeed. What `writes` says is recorded with the death.
    case rejected(Reason, writes: [Write] = [])
}

/// Why a try did not succeed, for people and for programs.
///
/// Much of it is what AWS, a pod or a message said, so both parts are cleaned and bounded here, once.
package struct Reason: Sendable, Equatable, CustomStringConvertible {
    /// A short word from a closed set, such as `disk-in-use` or AWS's `InvalidVolume.NotFound`.
    package let code: String

    /// A sentence that says what to do, with no secrets in it.
    package let message: String

    package init(_ code: String, _ message: String) {
        self.code = code.cleaned(utf8Bytes: Self.longestCode)
        self.message = message.cleaned(utf8Bytes: Self.longestMessage)
    }

    /// In bytes; a code may also be a header, and goes with the message into one frame.
    static let longestCode = 255
    static let longestMessage = 4096

    package var description: String { "\(self.code): \(self.message)" }
}

/// What a successful job wants to be remembered.
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

/// One statement of a job's transaction.
package struct Write: Sendable {
    package let sql: SQL

    /// How many rows it must affect for the transaction to commit; `nil` if any number will do.
    package let requiredRows: Int?

    /// Whether the worker needs it for itself, whatever the kind: if PostgreSQL refuses it, no job is to blame.
    let isOwn: Bool

    package init(_ sql: SQL, affecting requiredRows: Int? = nil) {
        self.sql = sql
        self.requiredRows = requiredRows
        self.isOwn = false
    }

    /// A statement on ledger or outbox.
    init(own sql: SQL) {
        self.sql = sql
        self.requiredRows = nil
        self.isOwn = true
    }
}
