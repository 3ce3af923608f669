package import Postgres

/// What no two jobs may work on at once, such as one disk.
///
/// The ledger holds it as text, `disk:alice/home`. Who has such things extends this type, so that each kind of key is
/// spelled in one place. Compared byte for byte, as PostgreSQL does.
package struct ExclusiveKey: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// `thing` is a word such as `disk`, and `identity` says which one; nil where there is only one.
    package init(_ thing: StaticString, _ identity: String? = nil) {
        self.description = identity.map { "\(thing):\($0)" } ?? thing.description
    }

    /// As the ledger has it.
    init(recorded text: String) { self.description = text }

    package static func == (one: ExclusiveKey, other: ExclusiveKey) -> Bool {
        one.description.utf8.elementsEqual(other.description.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in self.description.utf8 { hasher.combine(byte) }
    }
}

extension ExclusiveKey {
    /// The keys that running jobs hold now.
    package static func held(in session: PostgresConnection) async throws -> Set<ExclusiveKey> {
        let rows = try await session.run(
            """
            SELECT exclusive_key FROM job_ledger
            WHERE state = 'running' AND exclusive_key IS NOT NULL AND claimed_until > now()
            """
        ).rows
        return try Set(rows.map { ExclusiveKey(recorded: try $0.read("exclusive_key")) })
    }

    /// The condition that a running job holds a key; `key` is an expression in SQL, of type `text`.
    package static func isHeld(_ key: SQL) -> SQL {
        """
        EXISTS (SELECT FROM job_ledger WHERE state = 'running' AND claimed_until > now() AND exclusive_key = \(key))
        """
    }

    /// The condition that a job with a key runs, or waits for its next attempt.
    package static func isWanted(_ key: SQL) -> SQL {
        "EXISTS (SELECT FROM job_ledger WHERE state IN ('running', 'waiting') AND exclusive_key = \(key))"
    }

    /// The condition that a job of a kind with a key runs or waits, or has been dead since `time`, an expression too.
    package static func isWanted(_ key: SQL, by kind: JobKind, orDeadSince time: SQL) -> SQL {
        """
        EXISTS (SELECT FROM job_ledger WHERE kind = \(kind.name) AND exclusive_key = \(key)
            AND (state IN ('running', 'waiting') OR state = 'dead' AND finished_at > \(time)))
        """
    }

    /// A query for the id of a job of a kind that has a key and runs or waits; at most one row.
    package static func job(with key: SQL, of kind: JobKind) -> SQL {
        """
        SELECT job_id FROM job_ledger WHERE kind = \(kind.name) AND state IN ('running', 'waiting')
            AND exclusive_key = \(key) LIMIT 1
        """
    }
}
