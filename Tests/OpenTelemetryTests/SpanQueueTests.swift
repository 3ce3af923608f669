import Testing
import Traces
import Tracing

@testable import OpenTelemetry

@Suite struct SpanQueueTests {
    private func finishSpans(_ count: Int, _ tracer: OpenTelemetryTracer) {
        for number in 0..<count { tracer.startSpan("span \(number)", context: .topLevel).end() }
    }

    @Test func `spans go out in order, so many at a time`() {
        let queue = SpanQueue()
        self.finishSpans(700, OpenTelemetryTracer(sampler: .always, queue: queue))
        let (first, second, third) = (queue.next(), queue.next(), queue.next())
        #expect((first.spans.count, second.spans.count, third.spans.count) == (512, 188, 0))
        #expect((first.spans + second.spans).map(\.name) == (0..<700).map { "span \($0)" })
        #expect(first.dropped == 0)
    }

    @Test func `what there is no room for is counted once`() {
        let queue = SpanQueue()
        self.finishSpans(5_000, OpenTelemetryTracer(sampler: .always, queue: queue))
        #expect(queue.next().dropped == 904)
        #expect(queue.next().dropped == 0)
    }

    @Test func `an export is called for when it is worth one`() async {
        let queue = SpanQueue()
        self.finishSpans(512, OpenTelemetryTracer(sampler: .always, queue: queue))
        var wakes = queue.wakes.makeAsyncIterator()
        #expect(await wakes.next() != nil)
        queue.finish()
        #expect(await wakes.next() == nil)
    }

    @Test func `a span that nobody records keeps nothing, and hands its trace on`() {
        let queue = SpanQueue()
        let span = OpenTelemetryTracer(sampler: .never, queue: queue).startSpan("span", context: .topLevel)
        span.attributes["key"] = "value"
        span.setStatus(SpanStatus(code: .error))
        span.end()
        #expect(!span.isRecording && span.attributes.isEmpty && queue.next().spans.isEmpty)
        #expect(span.context.trace?.isSampled == false)
    }

    @Test func `a span ends once, and hears nothing afterwards`() throws {
        let queue = SpanQueue()
        let tracer = OpenTelemetryTracer(sampler: .always, queue: queue)
        let span = tracer.startSpan("before", context: .topLevel)
        span.recordError(CancellationError())
        span.end()
        span.operationName = "after"
        span.end()
        let record = try #require(queue.next().spans.first)
        #expect(record.name == "before" && record.events.map(\.name) == ["exception"])
        #expect(record.end >= record.start)
    }

    @Test func `a child belongs to its parent's trace`() throws {
        let queue = SpanQueue()
        let tracer = OpenTelemetryTracer(sampler: .always, queue: queue)
        let parent = tracer.startSpan("parent", context: .topLevel)
        let child = tracer.startSpan("child", context: parent.context)
        child.end()
        let record = try #require(queue.next().spans.first)
        #expect(record.trace.traceID == parent.context.trace?.traceID)
        #expect(record.parent == parent.context.trace?.spanID && record.parent != record.trace.spanID)
    }
}
