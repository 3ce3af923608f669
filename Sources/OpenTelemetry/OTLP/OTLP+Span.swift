import Traces
import Tracing

extension OTLP {
    /// One span.
    struct Span: Encodable {
        private let traceId: String
        private let spanId: String
        private let traceState: String?
        private let parentSpanId: String?
        /// The flags of the trace context.
        private let flags: Int
        private let name: String
        private let kind: Int
        private let startTimeUnixNano: String
        private let endTimeUnixNano: String
        private let attributes: [Attribute]
        private let events: [Event]
        private let links: [Link]
        private let status: Status

        init(_ span: SpanRecord) {
            self.traceId = span.trace.traceID.description
            self.spanId = span.trace.spanID.description
            self.traceState = span.trace.state
            self.parentSpanId = span.parent?.description
            self.flags = span.trace.isSampled ? 1 : 0
            self.name = span.name
            self.kind = span.kind.otlp
            self.startTimeUnixNano = "\(span.start)"
            self.endTimeUnixNano = "\(span.end)"
            self.attributes = Attribute.all(span.attributes)
            self.events = span.events.map { Event($0) }
            self.links = span.links.compactMap { Link($0) }
            self.status = Status(span.status)
        }
    }

    struct Event: Encodable {
        private let timeUnixNano: String
        private let name: String
        private let attributes: [Attribute]

        init(_ event: SpanEvent) {
            self.timeUnixNano = "\(event.nanosecondsSinceEpoch)"
            self.name = event.name
            self.attributes = Attribute.all(event.attributes)
        }
    }

    /// To a span of this trace or of another.
    struct Link: Encodable {
        private let traceId: String
        private let spanId: String
        private let traceState: String?
        private let attributes: [Attribute]

        init?(_ link: SpanLink) {
            guard let trace = link.context.trace else { return nil }
            self.traceId = trace.traceID.description
            self.spanId = trace.spanID.description
            self.traceState = trace.state
            self.attributes = Attribute.all(link.attributes)
        }
    }

    struct Status: Encodable {
        /// 0 if nobody has said, 1 for good, 2 for an error.
        private let code: Int
        private let message: String?

        init(_ status: SpanStatus?) {
            self.code =
                switch status?.code {
                case .ok: 1
                case .error: 2
                case nil: 0
                }
            self.message = status?.message
        }
    }
}

extension SpanKind {
    fileprivate var otlp: Int {
        switch self {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}
