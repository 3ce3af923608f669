package import Postgres
package import RabbitMQ
package import Traces

/// A job on its way in, as a producer would send it.
package struct JobSubmission: Sendable {
    package let id: JobID
    package let kind: JobKind
    /// A JSON object.
    package let payload: [UInt8]
    package let requestedBy: String
    package let trace: TraceContext?

    /// Throws `Malformed` or `PayloadFaults` if no worker would take the payload for a JSON object.
    package init(
        id: JobID,
        kind: JobKind,
        payload: [UInt8],
        requestedBy: String,
        trace: TraceContext? = nil
    ) throws {
        guard try JobBody(payload).isObject else { throw PayloadFaults("payload", "must be a JSON object") }
        self.id = id
        self.kind = kind
        self.payload = payload
        self.requestedBy = requestedBy
        self.trace = trace
    }

    /// Sends it; what became of it is the broker's word.
    package func publish(on connection: RabbitMQConnection, _ topology: Topology) async throws(RabbitMQError)
        -> PublishOutcome
    {
        var headers = self.trace?.headers ?? [:]
        headers["x-requested-by"] = .string(self.requestedBy)
        let properties = MessageProperties(
            messageID: self.id.description,
            type: self.kind.name,
            contentType: "application/json",
            deliveryMode: 2,
            headers: headers
        )
        return try await connection.publish(
            [
                OutgoingMessage(
                    Message(properties: properties, body: self.payload),
                    to: topology.jobsExchange,
                    routingKey: self.kind.name
                )
            ],
            within: .seconds(30)
        )[0]
    }

    /// Leaves it in the outbox until `time`, RFC 3339.
    package func enqueue(at time: String, in database: PostgresPool) async throws(PostgresError) {
        let text = String(decoding: self.payload, as: UTF8.self)
        _ = try await database.run(
            """
            SELECT enqueue_job(\(self.kind.name)::text, \(text)::jsonb, \(self.id)::uuid,
                \(time)::text::timestamptz, \(self.trace?.traceparent)::text)
            """
        )
    }
}
