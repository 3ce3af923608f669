import Traces
package import Tracing

/// Makes spans and hands the ended ones to an exporter.
package struct OpenTelemetryTracer: Tracer {
    private let sampler: Sampler
    private let queue: SpanQueue

    /// - Parameter queue: What the exporter takes its spans from.
    init(sampler: Sampler, queue: SpanQueue) {
        self.sampler = sampler
        self.queue = queue
    }

    package func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context.trace
        let traceID = parent?.traceID ?? TraceID()
        let trace = TraceContext(
            traceID: traceID,
            spanID: SpanID(),
            isSampled: self.sampler.records(traceID, under: parent),
            state: parent?.state
        )
        context.trace = trace
        let record = SpanRecord(
            trace: trace,
            parent: parent?.spanID,
            kind: kind,
            start: instant().nanosecondsSinceEpoch,
            name: operationName
        )
        return RecordedSpan(record, in: context, queue: self.queue)
    }

    package func forceFlush() { self.queue.wake() }

    package func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject(trace.traceparent, forKey: "traceparent", into: &carrier)
        if let state = trace.state { injector.inject(state, forKey: "tracestate", into: &carrier) }
    }

    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout ServiceContext,
        using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: "traceparent", from: carrier) else { return }
        let state = extractor.extract(key: "tracestate", from: carrier)
        if let trace = TraceContext(traceparent: parent, tracestate: state) { context.trace = trace }
    }
}
