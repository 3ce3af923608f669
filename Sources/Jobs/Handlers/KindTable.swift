package import Postgres

/// Every kind that this worker knows, each with its handler.
///
/// Two handlers for one kind are a programmer's mistake.
package struct KindTable: Sendable {
    private var kinds: [String: RegisteredKind] = [:]

    package init() {}

    package var names: [String] { self.kinds.keys.sorted() }

    package mutating func register<Handler: JobHandler>(_ handler: Handler) {
        self.add(
            RegisteredKind(kind: Handler.kind, deadline: handler.deadline, retries: handler.retries) {
                (body) throws(PayloadFaults) in
                let payload = try Handler.Payload.shape.decode(body)
                return .acting(
                    exclusiveKey: handler.exclusiveKey(for: payload)?.description,
                    onDeath: { handler.writesOnDeath(of: payload, because: $0) },
                    act: { id, context in
                        try await handler.act(
                            on: Job(id: id, kind: Handler.kind, payload: payload, context: context)
                        )
                    }
                )
            }
        )
    }

    package mutating func register<Handler: RowJobHandler>(_ handler: Handler) {
        self.add(
            RegisteredKind(kind: Handler.kind, deadline: nil, retries: nil) { (body) throws(PayloadFaults) in
                let payload = try Handler.Payload.shape.decode(body)
                return .writing(
                    record: { id, context in
                        handler.record(Job(id: id, kind: Handler.kind, payload: payload, context: context))
                    },
                    resolve: { conflict, id, context, database in
                        let job = Job(id: id, kind: Handler.kind, payload: payload, context: context)
                        return try await handler.resolve(conflict, of: job, in: database)
                    }
                )
            }
        )
    }

    package subscript(_ kind: JobKind) -> RegisteredKind? { self.kinds[kind.name] }

    /// Takes a kind out again; a test makes a replica of an older version so.
    package mutating func remove(_ kind: JobKind) { self.kinds[kind.name] = nil }

    private mutating func add(_ kind: RegisteredKind) {
        let previous = self.kinds.updateValue(kind, forKey: kind.kind.name)
        precondition(previous == nil, "two handlers for \(kind.kind)")
    }
}

/// One kind and how its payloads become work.
package struct RegisteredKind: Sendable {
    package let kind: JobKind
    package let deadline: Duration?
    package let retries: RetrySchedule?

    /// Decodes and checks a payload.
    package let prepare: @Sendable (JobBody) throws(PayloadFaults) -> PreparedJob

    init(
        kind: JobKind,
        deadline: Duration?,
        retries: RetrySchedule?,
        prepare: @escaping @Sendable (JobBody) throws(PayloadFaults) -> PreparedJob
    ) {
        self.kind = kind
        self.deadline = deadline
        self.retries = retries
        self.prepare = prepare
    }
}

/// A job whose payload is in order.
package enum PreparedJob: Sendable {
    case acting(
        exclusiveKey: String?,
        onDeath: @Sendable (Reason) -> [Write],
        act: @Sendable (JobID, JobContext) async throws -> Success
    )
    case writing(
        record: @Sendable (JobID, JobContext) -> Success,
        resolve: @Sendable (PostgresError, JobID, JobContext, PostgresPool) async throws -> Success
    )
}
