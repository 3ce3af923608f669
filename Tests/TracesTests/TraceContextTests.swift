import Testing
import Traces

/// Cases of W3C Trace Context, level 1, section 3.2.
@Suite struct TraceContextTests {
    private let traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
    private let spanID = "00f067aa0ba902b7"

    @Test func `a traceparent is read and written`() throws {
        let text = "00-\(traceID)-\(spanID)-01"
        let trace = try #require(TraceContext(traceparent: text, tracestate: "congo=t61rcWkgMzE"))
        #expect(trace.traceID.description == traceID && trace.spanID.description == spanID)
        #expect(trace.isSampled && trace.state == "congo=t61rcWkgMzE" && trace.traceparent == text)
    }

    @Test(arguments: [("00", false), ("01", true), ("fe", false), ("ff", true)])
    func `only the lowest flag counts`(flags: String, isSampled: Bool) throws {
        let trace = try #require(TraceContext(traceparent: "00-\(traceID)-\(spanID)-\(flags)"))
        #expect(trace.isSampled == isSampled)
        #expect(trace.traceparent.hasSuffix(isSampled ? "-01" : "-00"))
    }

    @Test func `a newer version is read as far as it is known, and written in ours`() throws {
        let trace = try #require(
            TraceContext(traceparent: "cc-\(traceID)-\(spanID)-01-what-the-future-holds")
        )
        #expect(trace.traceparent == "00-\(traceID)-\(spanID)-01")
    }

    @Test(arguments: [
        "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.1",
        "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
        "00 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 01",
    ])
    func `what is no traceparent is none`(text: String) {
        #expect(TraceContext(traceparent: text) == nil)
    }

    @Test func `a state that is empty or longer than everyone takes is left out`() throws {
        let text = "00-\(traceID)-\(spanID)-01"
        #expect(try #require(TraceContext(traceparent: text, tracestate: "")).state == nil)
        let long = "a=" + String(repeating: "b", count: 511)
        #expect(try #require(TraceContext(traceparent: text, tracestate: long)).state == nil)
    }

    @Test func `ids have all their digits and are their own`() {
        let traces = (0..<1_000).map { _ in TraceID() }
        #expect(traces.allSatisfy { $0.description.utf8.count == 32 } && Set(traces).count == 1_000)
        let spans = (0..<1_000).map { _ in SpanID() }
        #expect(spans.allSatisfy { $0.description.utf8.count == 16 } && Set(spans).count == 1_000)
    }
}
