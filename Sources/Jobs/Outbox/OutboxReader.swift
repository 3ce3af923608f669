import Postgres

/// Reads rows of the outbox that are due and locks them, only as many as fit into memory.
struct OutboxReader: Sendable {
    /// Rows that are locked until the transaction ends.
    struct Batch: Sendable {
        var messages: [(id: Int, message: OutboxMessage)] = []
        /// Those that cannot become a message, and why.
        var unreadable: [(id: Int, error: String)] = []
        /// Whether more rows than these were due.
        var hasMore = false

        var isEmpty: Bool { self.messages.isEmpty && self.unreadable.isEmpty }
    }

    /// How many bytes of bodies are read at a time; a single row may have more.
    private static let budget = 4 << 20

    /// A body over this is read in pieces of this size, since its text is twice as long and libpq keeps a copy.
    private static let piece = 1 << 20

    /// The largest body that goes through the outbox.
    static let largestBody = 16 << 20

    /// A row that was published this often in vain is no longer published together with others.
    ///
    /// An index has it too.
    private static let failsOften: StaticString = "tries >= 3"

    /// The oldest rows due since `start`, without those of `excluded` routes and those that failed often.
    ///
    /// - Parameter start: Seconds since 1970, by PostgreSQL's clock.
    func due(
        since start: Double,
        atMost limit: Int,
        excluding excluded: [OutboxRoute],
        in transaction: Transaction
    ) async throws -> Batch {
        let (destinations, keys) = (excluded.map(\.destination.rawValue), excluded.map(\.routingKey))
        return try await self.read(
            """
            SELECT id, available_at, octet_length(body) AS size, pg_column_size(headers) AS more FROM outbox
            WHERE available_at >= to_timestamp(\(start)::float8) AND available_at <= now()
                AND NOT \(constant: Self.failsOften) AND (destination, routing_key) NOT IN (
                    SELECT * FROM unnest(\(destinations)::text[], \(keys)::text[]))
            ORDER BY available_at, id LIMIT \(limit) FOR UPDATE SKIP LOCKED
            """,
            limit: limit,
            in: transaction
        )
    }

    /// Since when the oldest row has been due of those that did not fail often, in seconds since 1970; a few seconds ago if
    /// none is due, since what is being committed may be a little older.
    func oldestDue(in database: PostgresPool) async throws(PostgresError) -> Double? {
        try await database.run(
            """
            SELECT extract(epoch FROM least(now() - interval '2 seconds', (
                SELECT available_at FROM outbox WHERE available_at <= now() AND NOT \(constant: Self.failsOften)
                ORDER BY available_at, id LIMIT 1)))::float8 AS oldest
            """
        ).rows.first?.read("oldest")
    }

    /// The oldest due row of each of the routes, and due rows that failed often.
    func probes(of routes: [OutboxRoute], atMost limit: Int, in transaction: Transaction) async throws
        -> Batch
    {
        let (destinations, keys) = (routes.map(\.destination.rawValue), routes.map(\.routingKey))
        return try await self.read(
            """
            SELECT id, available_at, octet_length(body) AS size, pg_column_size(headers) AS more FROM outbox
            WHERE available_at <= now() AND id IN (
                SELECT first.id FROM unnest(\(destinations)::text[], \(keys)::text[]) AS route (destination, key)
                CROSS JOIN LATERAL (
                    SELECT id FROM outbox WHERE available_at <= now() AND destination = route.destination
                        AND routing_key = route.key ORDER BY available_at, id LIMIT 1) AS first
                UNION ALL (
                    SELECT id FROM outbox WHERE available_at <= now()
                        AND \(constant: Self.failsOften) ORDER BY available_at, id LIMIT \(limit)))
            ORDER BY available_at, id LIMIT \(limit) FOR UPDATE SKIP LOCKED
            """,
            limit: limit,
            in: transaction
        )
    }

    /// Those of the routes that have a row which is due, locked or not.
    func waiting(_ routes: [OutboxRoute], in transaction: Transaction) async throws -> Set<OutboxRoute> {
        let (destinations, keys) = (routes.map(\.destination.rawValue), routes.map(\.routingKey))
        let rows = try await transaction.run(
            """
            SELECT destination, key FROM unnest(\(destinations)::text[], \(keys)::text[]) AS route (destination, key)
            WHERE EXISTS (SELECT FROM outbox WHERE available_at <= now() AND outbox.destination = route.destination
                AND routing_key = key)
            """
        ).rows
        var waiting: Set<OutboxRoute> = []
        for row in rows {
            let route = OutboxRoute(destination: try row.read("destination"), routingKey: try row.read("key"))
            waiting.insert(route)
        }
        return waiting
    }

    private func read(_ selection: SQL, limit: Int, in transaction: Transaction) async throws -> Batch {
        let rows = try await transaction.run(
            """
            WITH picked AS MATERIALIZED (\(selection)), fitting AS (
                SELECT id, size, count(*) OVER () AS found,
                    row_number() OVER (ORDER BY available_at, id) AS place,
                    sum(size + coalesce(more, 0)) OVER (ORDER BY available_at, id) AS total
                FROM picked)
            SELECT id, destination, routing_key, message_id, type, content_type, correlation_id,
                headers::text AS headers, properties::text AS properties, size, found,
                CASE WHEN size <= \(Self.piece)::integer THEN body END AS body,
                CASE WHEN isfinite(available_at) THEN extract(epoch FROM available_at)::bigint END AS due_at,
                CASE WHEN isfinite(waits_since) THEN (extract(epoch FROM waits_since) * 1000)::bigint END AS waits_since
            FROM fitting JOIN outbox USING (id)
            WHERE place = 1 OR total <= \(Self.budget)::bigint ORDER BY place
            """
        ).rows
        var batch = Batch()
        for row in rows {
            let (id, found): (Int, Int) = (try row.read("id"), try row.read("found"))
            batch.hasMore = found >= limit || found > rows.count
            do {
                batch.messages.append((id, try await self.message(id, row, in: transaction)))
            } catch let error as PostgresError where error.code != .invalidValue {
                throw error
            } catch {
                batch.unreadable.append((id, "the row cannot be read: \(error)"))
            }
        }
        return batch
    }

    private func message(_ id: Int, _ row: PostgresRow, in transaction: Transaction) async throws
        -> OutboxMessage
    {
        let size: Int = try row.read("size")
        guard size <= Self.largestBody else { throw BodyTooLarge(size: size) }
        let body: [UInt8]
        if let whole: [UInt8] = try row.readOptional("body") {
            body = whole
        } else {
            body = try await self.body(id, size: size, in: transaction)
        }
        let message = try OutboxMessage(row, body: body)
        guard let due: Int = try row.readOptional("due_at") else { return message }
        return message.sent(at: due)
    }

    private func body(_ id: Int, size: Int, in transaction: Transaction) async throws -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(size)
        while body.count < size {
            let part = try await transaction.run(
                """
                SELECT substr(body, \(body.count + 1)::integer, \(Self.piece)::integer) AS part FROM outbox
                WHERE id = \(id)
                """
            ).rows.first?.read("part", as: [UInt8].self)
            guard let part, !part.isEmpty else { throw BodyTooLarge(size: size) }
            body += part
        }
        return body
    }
}

/// A body that no queue of ours is meant to hold.
private struct BodyTooLarge: Error, CustomStringConvertible {
    let size: Int

    var description: String { "its body of \(self.size) bytes is over \(OutboxReader.largestBody)" }
}
