package import Postgres

/// What a kind of job is, before any setting is known: its name, its payload, the data of its event.
package protocol JobDeclaration: Sendable {
    associatedtype Payload: JobPayload
    associatedtype Event: EventData

    static var kind: JobKind { get }

    static var documentation: KindDocumentation { get }
}

/// The code for one kind of job that acts outside PostgreSQL.
///
/// Each call it makes must be idempotent by construction, since a job whose worker dies runs again: a token or a
/// name derived from the job's id, or a look-up by tag first.
package protocol JobHandler: JobDeclaration {
    /// How long one attempt may take before it is cancelled; `nil` for the worker's default.
    var deadline: Duration? { get }

    /// When a failed attempt is repeated, and how often; `nil` for the worker's default.
    var retries: RetrySchedule? { get }

    /// What no two running jobs may touch at once, such as `disk:alice/home`; `nil` if nothing.
    func exclusiveKey(for payload: Payload) -> ExclusiveKey?

    /// Does the work with no transaction open. Throws a `Conclusion` where it ends without success.
    func act(on job: Job<Payload>) async throws -> Success

    /// What is written down with the death of a job, whatever it dies of; a replay may follow.
    func writesOnDeath(of payload: Payload, because reason: Reason) -> [Write]
}

extension JobHandler {
    package var deadline: Duration? { nil }
    package var retries: RetrySchedule? { nil }
    package func exclusiveKey(for payload: Payload) -> ExclusiveKey? { nil }
    package func writesOnDeath(of payload: Payload, because reason: Reason) -> [Write] { [] }
}

/// The code for one kind of job that only writes rows.
///
/// A fresh job of this kind travels to PostgreSQL as one pipelined round trip, ledger and event included. Its
/// statements therefore fail, with a constraint violation, where they must not take effect; `resolve` then looks
/// at what is there and decides.
package protocol RowJobHandler: JobDeclaration {
    /// The statements to run and the event to publish, without looking at anything.
    func record(_ job: Job<Payload>) -> Success

    /// Decides what a constraint violation means for the job. Reads only, and throws as `act` does.
    func resolve(_ conflict: PostgresError, of job: Job<Payload>, in database: PostgresPool) async throws
        -> Success
}
