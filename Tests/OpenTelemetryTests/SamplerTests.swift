import Testing
import Traces

@testable import OpenTelemetry

@Suite struct SamplerTests {
    private func parent(isSampled: Bool) -> TraceContext {
        TraceContext(traceID: TraceID(), spanID: SpanID(), isSampled: isSampled)
    }

    @Test func `always and never ask nobody`() {
        for decided in [nil, self.parent(isSampled: true), self.parent(isSampled: false)] {
            #expect(Sampler.always.records(TraceID(), under: decided))
            #expect(!Sampler.never.records(TraceID(), under: decided))
        }
    }

    @Test func `who began the trace decides, else the other sampler`() {
        #expect(Sampler.parent(orElse: .never).records(TraceID(), under: self.parent(isSampled: true)))
        #expect(!Sampler.parent(orElse: .always).records(TraceID(), under: self.parent(isSampled: false)))
        #expect(Sampler.parent(orElse: .always).records(TraceID(), under: nil))
        #expect(!Sampler.parent(orElse: .never).records(TraceID(), under: nil))
    }

    @Test(arguments: [0, 0.1, 0.5, 1])
    func `a share is about that share, and the same for one trace each time`(share: Double) {
        let traces = (0..<20_000).map { _ in TraceID() }
        let recorded = traces.filter { Sampler.ratio(share).records($0, under: nil) }
        #expect(abs(Double(recorded.count) / 20_000 - share) < 0.03)
        #expect(recorded == traces.filter { Sampler.ratio(share).records($0, under: nil) })
    }
}
