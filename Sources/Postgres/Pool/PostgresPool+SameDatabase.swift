extension PostgresPool {
    /// Whether somebody holds the exclusive advisory lock `key` in the database that this pool leads to.
    package func seesLock(_ key: Int64) async throws(PostgresError) -> Bool {
        try await !self.run("SELECT FROM pg_locks WHERE \(SQL.isExclusiveLock(key))").rows.isEmpty
    }

    /// Whether `session` is in the very database of the very server that this pool leads to.
    ///
    /// The session takes a lock for a moment, which can be seen from nowhere else. No right is needed for that.
    package func sharesDatabase(with session: PostgresConnection) async throws(PostgresError) -> Bool {
        let key = Int64.random(in: .min ... .max)
        _ = try await session.run("SELECT pg_advisory_lock(\(key)::bigint)")
        let isSeen = try await self.seesLock(key)
        // Fails if the session was lost meanwhile, and its lock with it.
        _ = try await session.run("SELECT pg_advisory_unlock(\(key)::bigint)")
        return isSeen
    }
}

extension SQL {
    /// Whether a row of `pg_locks` is of the exclusive advisory lock `key` in this database, and not waited for.
    package static func isExclusiveLock(_ key: Int64) -> SQL {
        """
        locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
            AND (classid::bigint << 32) | objid::bigint = \(key)::bigint
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
    }
}
