import Traces
import Tracing

/// What is known of one span.
struct SpanRecord: Sendable {
    let trace: TraceContext
    let parent: SpanID?
    let kind: SpanKind
    /// In nanoseconds since 1970.
    let start: UInt64
    var end: UInt64 = 0
    var name: String
    var attributes: SpanAttributes = [:]
    var status: SpanStatus?
    var events: [SpanEvent] = []
    var links: [SpanLink] = []
}
