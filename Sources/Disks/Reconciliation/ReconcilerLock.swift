import Logging
import Postgres

/// The lock under which one run at a time may reconcile, this program's or the platform's.
///
/// It belongs to a session of its own: whoever loses the session has lost the lock, and must not write any more. Rows
/// are therefore written through this very session.
struct ReconcilerLock: Sendable {
    /// The key that the platform's own updater takes too.
    static let key = 987_654_321

    let session: PostgresConnection

    /// How long the server may take to say that the session still lives.
    private static let queryTimeout: Duration = .seconds(5)

    /// Takes the lock in `session`; nil if somebody else has it.
    init?(in session: PostgresConnection) async throws(PostgresError) {
        let row = try await session.run("SELECT pg_try_advisory_lock(\(Self.key)::bigint) AS is_held").rows
            .first
        guard try row?.read("is_held") == true else { return nil }
        self.session = session
    }

    /// Throws if the lock is lost.
    ///
    /// To be called before each change in AWS.
    func check() async throws(PostgresError) {
        _ = try await self.session.run("SELECT 1", within: Self.queryTimeout)
    }

    /// Gives the lock back, in the session that took it.
    func release(_ logger: Logger) async throws(PostgresError) {
        let row = try await self.session.run("SELECT pg_advisory_unlock(\(Self.key)::bigint) AS was_held")
            .rows.first
        guard try row?.read("was_held") == true else {
            logger.warning("the reconciler's lock was lost before it was given back")
            return
        }
    }
}
