import RabbitMQ
import Traces
import Tracing

/// Follows jobs in the traces that their messages came with.
///
/// The first start of a job belongs to its sender's trace. A later one, which may come after hours, begins a trace of its
/// own that is linked to the sender's.
struct JobTraces: Sendable {
    /// Nil if nobody collects spans; what a message says of its trace is handed on all the same.
    let tracer: (any Tracer)?

    /// The span of the start that this task works on.
    @TaskLocal private static var span: (any Span)?

    /// Runs `body` in a span, which spans of calls and outgoing messages then refer to.
    func following<Value>(_ envelope: Envelope, _ body: () async throws -> Value) async throws -> Value {
        let sender = envelope.message.trace
        guard let tracer else {
            guard let sender else { return try await body() }
            return try await ServiceContext.$current.withValue(.of(sender), operation: body)
        }
        let span = tracer.startSpan(
            "process \(envelope.queue)",
            context: envelope.isFirstStart ? .of(sender) : .topLevel,
            ofKind: .consumer
        )
        defer { span.end() }
        if span.isRecording { self.describe(envelope, on: span) }
        if let sender, !envelope.isFirstStart {
            span.addLink(SpanLink(context: .of(sender), attributes: [:]))
        }
        return try await ServiceContext.$current.withValue(span.context) {
            try await Self.$span.withValue(span, operation: body)
        }
    }

    /// Notes what became of the start that this task works on.
    ///
    /// - Parameter reason: Why it failed; nil if it did not.
    static func ended(as fate: String, attempt: Int? = nil, because reason: Reason? = nil) {
        guard let span = Self.span else { return }
        span.attributes["gpudev.job.fate"] = fate
        span.attributes["gpudev.job.attempt"] = attempt
        guard let reason else { return }
        span.attributes["error.type"] = reason.code
        span.setStatus(SpanStatus(code: .error, message: reason.message))
    }

    /// By OpenTelemetry's conventions for messaging, as far as they have a name.
    private func describe(_ envelope: Envelope, on span: any Span) {
        let properties = envelope.message.properties
        span.updateAttributes { attributes in
            attributes["messaging.system"] = "rabbitmq"
            attributes["messaging.operation.name"] = "process"
            attributes["messaging.operation.type"] = "process"
            attributes["messaging.destination.name"] = envelope.queue
            attributes["messaging.rabbitmq.destination.routing_key"] = envelope.routingKey
            attributes["messaging.message.id"] = envelope.id.description
            attributes["messaging.message.conversation_id"] = properties.correlationID
            attributes["messaging.message.body.size"] = envelope.message.body.count
            attributes["gpudev.job.kind"] = envelope.kind.name
        }
    }
}

extension Envelope {
    /// Whether nobody has begun the job before, as far as the message says.
    fileprivate var isFirstStart: Bool { !self.isRedelivered && self.turn == 0 && self.replayCount == 0 }
}

extension ServiceContext {
    fileprivate static func of(_ trace: TraceContext?) -> ServiceContext {
        var context = ServiceContext.topLevel
        context.trace = trace
        return context
    }
}
