import Synchronization
import Traces
package import Tracing

/// One span: it gathers attributes and events until it ends, and is exported then.
///
/// One whose trace is not recorded only carries its context.
package final class RecordedSpan: Span {
    package let context: ServiceContext
    private let queue: SpanQueue
    private let record: Mutex<SpanRecord?>

    /// - Parameters:
    ///   - context: What it happens in, with its own place in the trace.
    ///   - queue: Where it goes when it ends.
    init(_ record: SpanRecord, in context: ServiceContext, queue: SpanQueue) {
        self.context = context
        self.queue = queue
        self.record = Mutex(record.trace.isSampled ? record : nil)
    }

    package var isRecording: Bool { self.record.withLock { $0 != nil } }

    package var operationName: String {
        get { self.record.withLock { $0?.name } ?? "" }
        set { self.record.withLock { $0?.name = newValue } }
    }

    package var attributes: SpanAttributes {
        get { self.record.withLock { $0?.attributes } ?? [:] }
        set { self.record.withLock { $0?.attributes = newValue } }
    }

    package func setStatus(_ status: SpanStatus) { self.record.withLock { $0?.status = status } }
    package func addEvent(_ event: SpanEvent) { self.record.withLock { $0?.events.append(event) } }
    package func addLink(_ link: SpanLink) { self.record.withLock { $0?.links.append(link) } }

    package func recordError<Instant: TracerInstant>(
        _ error: any Error,
        attributes: SpanAttributes,
        at instant: @autoclosure () -> Instant
    ) {
        var attributes = attributes
        attributes["exception.type"] = "\(type(of: error))"
        attributes["exception.message"] = "\(error)"
        self.addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    /// Ends it once; what comes later is lost.
    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard var record = self.record.withLock({ $0.take() }) else { return }
        record.end = max(record.start, instant().nanosecondsSinceEpoch)
        self.queue.append(record)
    }
}
