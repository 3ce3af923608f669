import RabbitMQ
import Traces
import Tracing

extension Message {
    /// The trace that the sender was in, as far as the headers say.
    var trace: TraceContext? {
        guard let parent = self.properties.headers["traceparent"]?.string else { return nil }
        return TraceContext(
            traceparent: parent,
            tracestate: self.properties.headers["tracestate"]?.string
        )
    }

    /// The trace for what is sent because of the message: that of the work on it, else the sender's.
    var onwardTrace: TraceContext? { ServiceContext.current?.trace ?? self.trace }
}

extension TraceContext {
    /// As the headers of a message.
    var headers: FieldTable {
        var headers: FieldTable = ["traceparent": .string(self.traceparent)]
        if let state { headers["tracestate"] = .string(state) }
        return headers
    }
}
