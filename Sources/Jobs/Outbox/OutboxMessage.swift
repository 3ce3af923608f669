import FoundationEssentials
import Postgres
import RabbitMQ

/// A message on its way into the outbox or out of it.
struct OutboxMessage: Sendable {
    let destination: Destination
    let routingKey: String
    let message: Message

    /// Since when its job waits for what it must hold alone, in milliseconds since 1970; nil if it does not.
    let waitsSince: Int?

    /// The header by which the relay knows a message again that the broker returns.
    static let idHeader = "x-outbox-id"

    /// A message is stored and published without what concerns only the way that it came by.
    init(to destination: Destination, routingKey: String, _ message: Message, waitsSince: Int? = nil) {
        self.destination = destination
        self.routingKey = routingKey
        self.waitsSince = waitsSince
        self.message = message.isFitForOutbox ? message : message.fitForOutbox
    }

    /// The statement that puts the message into the outbox, due after `delay`; its result is the row's `id`.
    func insertion(after delay: Duration = .zero) throws -> SQL {
        """
        INSERT INTO outbox (available_at, waits_since, \(constant: Self.columns))
        VALUES (now() + \(delay.milliseconds)::bigint * interval '1 ms',
            to_timestamp(\(self.waitsSince)::bigint / 1000.0), \(try self.values))
        RETURNING id
        """
    }

    /// The statement that parks the message of a job until `key` is let go; due at once if nobody holds it by now.
    ///
    /// Whoever lets the key go makes the longest wait for it due, by a trigger. That happens wholly before this
    /// statement or wholly after its commit, since both lock the holder's row. Should no holder ever let it go, the
    /// message is due after about `limit`, and after half the time that it has waited, up to ten times the limit.
    ///
    /// - Returns: A statement whose result says in `is_parked` whether the key is held.
    func parking(until key: String, limit: Duration) throws -> SQL {
        """
        WITH holder AS MATERIALIZED (
            SELECT FROM job_ledger WHERE exclusive_key = \(key)::text AND state = 'running' FOR SHARE
        ), wait AS (
            SELECT EXISTS (SELECT FROM holder) AS is_needed, \(limit.milliseconds)::bigint * interval '1 ms' AS longest,
                least(now(), to_timestamp(\(self.waitsSince)::bigint / 1000.0)) AS since
        )
        INSERT INTO outbox (available_at, waits_for, waits_since, \(constant: Self.columns))
        SELECT CASE WHEN is_needed THEN now() + (0.75 + random() / 2)
                * greatest(longest, least(10 * longest, (now() - since) / 2)) ELSE now() END,
            CASE WHEN is_needed THEN \(key)::text END, since, \(try self.values)
        FROM wait RETURNING waits_for IS NOT NULL AS is_parked
        """
    }

    private static let columns: StaticString =
        "destination, routing_key, message_id, type, content_type, correlation_id, headers, properties, body"

    /// For these columns.
    private var values: SQL {
        get throws {
            let properties = self.message.properties
            let headers = properties.headers.isEmpty ? nil : try StoredHeaders.json(properties.headers)
            return """
                \(self.destination)::text, \(self.routingKey)::text, \(properties.messageID)::text,
                \(properties.type)::text, \(properties.contentType)::text, \(properties.correlationID)::text,
                \(headers)::jsonb, \(try OtherProperties(properties).json)::jsonb, \(self.message.body)::bytea
                """
        }
    }

    /// The message with the time, in seconds since 1970, at which it could go out; only a job that is new, and does not
    /// tell when it was sent.
    func sent(at seconds: Int) -> OutboxMessage {
        let properties = self.message.properties
        guard self.destination == .jobs, properties.timestamp == nil,
            properties.headers[Envelope.turnHeader] == nil
        else { return self }
        return OutboxMessage(
            to: .jobs,
            routingKey: self.routingKey,
            self.message.with { $0.timestamp = UInt64(clamping: seconds) },
            waitsSince: self.waitsSince
        )
    }

    /// Reads a row of the outbox, whose body may have been read apart.
    init(_ row: PostgresRow, body: [UInt8]) throws {
        var properties = MessageProperties()
        if let json: String = try row.readOptional("properties") {
            try OtherProperties(json: json).restore(to: &properties)
        }
        properties.messageID = try row.readOptional("message_id")
        properties.type = try row.readOptional("type")
        properties.contentType = try row.readOptional("content_type")
        properties.correlationID = try row.readOptional("correlation_id")
        if let headers: String = try row.readOptional("headers") {
            properties.headers = try StoredHeaders.table(fromJSON: headers)
        }
        self.init(
            to: try row.read("destination"),
            routingKey: try row.read("routing_key"),
            Message(properties: properties, body: body),
            waitsSince: try row.readOptional("waits_since")
        )
    }
}

extension Message {
    /// What the broker or the relay has added on the way, and what must not be carried along.
    private static let headersOfTransport = [
        OutboxMessage.idHeader, Envelope.waitHeader, "x-publish-id", "x-delivery-count", "x-acquired-count",
    ]

    fileprivate var isFitForOutbox: Bool {
        self.properties.deliveryMode == 2 && self.properties.userID == nil
            && self.properties.expiration == nil && self.properties.headers.isEmpty
    }

    fileprivate var fitForOutbox: Message {
        self.with {
            $0.deliveryMode = 2
            $0.userID = nil
            $0.expiration = nil
            guard !$0.headers.isEmpty else { return }
            for name in Self.headersOfTransport { $0.headers[name] = nil }
        }
    }
}

/// The properties that few messages have.
private struct OtherProperties: Codable {
    var contentEncoding: String?
    var replyTo: String?
    var appID: String?
    var clusterID: String?
    var priority: UInt8?
    var timestamp: UInt64?

    init(_ properties: MessageProperties) {
        self.contentEncoding = properties.contentEncoding
        self.replyTo = properties.replyTo
        self.appID = properties.appID
        self.clusterID = properties.clusterID
        self.priority = properties.priority
        self.timestamp = properties.timestamp
    }

    init(json: String) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
    }

    private var isEmpty: Bool {
        self.contentEncoding == nil && self.replyTo == nil && self.appID == nil && self.clusterID == nil
            && self.priority == nil && self.timestamp == nil
    }

    /// Nothing if there is nothing to keep.
    var json: String? {
        get throws {
            guard !self.isEmpty else { return nil }
            return String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        }
    }

    func restore(to properties: inout MessageProperties) {
        properties.contentEncoding = self.contentEncoding
        properties.replyTo = self.replyTo
        properties.appID = self.appID
        properties.clusterID = self.clusterID
        properties.priority = self.priority
        properties.timestamp = self.timestamp
    }
}

/// The way of a message: its exchange, and the key that it is routed by.
struct OutboxRoute: Hashable, Sendable {
    let destination: Destination
    let routingKey: String
}

extension OutboxMessage {
    var route: OutboxRoute { OutboxRoute(destination: self.destination, routingKey: self.routingKey) }
}

/// A message whose row in the outbox has just been committed, on its way to the broker without being read again.
struct OutboxDispatch: Sendable {
    /// The row's.
    let id: Int
    let message: OutboxMessage
    /// When the row is due for any relay, which ends the short way.
    let expiry: ContinuousClock.Instant

    /// About how many bytes it takes.
    var size: Int { self.message.message.body.count }

    /// How long after its commit a row is left to the worker that wrote it.
    ///
    /// What is not published by then, because its worker died or lost the broker, others find due.
    static let headStart: Duration = .seconds(5)
}
