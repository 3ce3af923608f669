import Calls
import InMemoryTracing
import MetricFamilies
import Testing
import Traces
import Tracing

@Suite struct CallRecordTests {
    private let tracer = InMemoryTracer()

    /// The span of one request in a trace that is recorded, or not.
    private func span(
        of service: String?,
        ending outcome: CallOutcome,
        status: Int?,
        isSampled: Bool = true
    ) -> FinishedInMemorySpan? {
        var context = ServiceContext.topLevel
        context.trace = TraceContext(traceID: TraceID(), spanID: SpanID(), isSampled: isSampled)
        ServiceContext.withValue(context) {
            let record = CallRecord(
                to: CalledSystem("example-api", requests: CounterFamily("example_calls_total", "Requests.")),
                service: service,
                operation: "Look",
                method: "GET",
                server: ("example.org", 8443),
                self.tracer
            )
            record.end(with: outcome, status: status)
        }
        return self.tracer.popFinishedSpans().first
    }

    @Test(arguments: [("ec2", "ec2.Look", "ec2.Look"), (nil, "example-api.Look", "Look")])
    func `a span says what was called, and where`(service: String?, name: String, method: String) throws {
        let span = try #require(self.span(of: service, ending: .success, status: 200))
        #expect(span.operationName == name && span.kind == .client && span.status == nil)
        #expect(span.attributes["rpc.system.name"]?.toSpanAttribute() == "example-api")
        #expect(span.attributes["rpc.method"]?.toSpanAttribute() == .string(method))
        #expect(span.attributes["http.request.method"]?.toSpanAttribute() == "GET")
        #expect(span.attributes["server.address"]?.toSpanAttribute() == "example.org")
        #expect(span.attributes["server.port"]?.toSpanAttribute() == 8443)
        #expect(span.attributes["http.response.status_code"]?.toSpanAttribute() == 200)
        #expect(span.attributes["error.type"] == nil)
    }

    @Test func `the span of a failure has its code and its message`() throws {
        let outcome = CallOutcome.failure(code: "throttled", message: "slow down")
        let span = try #require(self.span(of: "ec2", ending: outcome, status: nil))
        #expect(span.attributes["error.type"]?.toSpanAttribute() == "throttled")
        #expect(span.attributes["http.response.status_code"] == nil)
        #expect(span.status?.code == .error && span.status?.message == "slow down")
    }

    @Test func `a trace that is not recorded gets no span`() {
        #expect(self.span(of: "ec2", ending: .success, status: 200, isSampled: false) == nil)
    }
}
