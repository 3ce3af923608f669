import CoreMetrics
import Metrics
import Prometheus
import Testing

@Suite struct PrometheusRegistryTests {
    private let registry = PrometheusRegistry([
        MetricFamily("jobs_total", .counter, "Jobs."),
        MetricFamily("depth", .gauge, "How many wait; a \"quote\" and a \\."),
        MetricFamily("wait_seconds", .histogram([0.5, 1]), "How long."),
    ])

    /// The example of each type in "Text-based format", Prometheus' documentation.
    @Test func `each type is written as the format wants it`() {
        Counter(label: "jobs_total", dimensions: [("kind", "a"), ("fate", "b")], factory: self.registry)
            .increment(by: 3)
        Meter(label: "depth", dimensions: [], factory: self.registry).set(1.5)
        let waits = Metrics.Timer(label: "wait_seconds", dimensions: [("queue", "q")], factory: self.registry)
        for seconds in [0.25, 0.5, 2] { waits.record(duration: .seconds(seconds)) }
        #expect(
            self.registry.text() == """
                # HELP jobs_total Jobs.
                # TYPE jobs_total counter
                jobs_total{kind="a",fate="b"} 3
                # HELP depth How many wait; a "quote" and a \\\\.
                # TYPE depth gauge
                depth 1.5
                # HELP wait_seconds How long.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{queue="q",le="0.5"} 2
                wait_seconds_bucket{queue="q",le="1"} 2
                wait_seconds_bucket{queue="q",le="+Inf"} 3
                wait_seconds_sum{queue="q"} 2.75
                wait_seconds_count{queue="q"} 3

                """
        )
    }

    @Test func `handles of the same name and labels count together`() {
        for _ in 1...2 {
            Counter(label: "jobs_total", dimensions: [("kind", "a")], factory: self.registry).increment()
        }
        #expect(self.registry.text().contains("jobs_total{kind=\"a\"} 2\n"))
    }

    @Test func `label values are escaped`() {
        Counter(label: "jobs_total", dimensions: [("kind", "a\"b\\c\nd")], factory: self.registry).increment()
        #expect(self.registry.text().contains(#"jobs_total{kind="a\"b\\c\nd"} 1"#))
    }

    @Test func `a counter is told from its making on, a gauge while it is a number`() {
        let depth = Meter(label: "depth", dimensions: [], factory: self.registry)
        _ = Counter(label: "jobs_total", dimensions: [], factory: self.registry)
        #expect(self.registry.text() == "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total 0\n")
        depth.set(0)
        #expect(self.registry.text().contains("depth 0\n"))
        depth.set(Double.nan)
        #expect(!self.registry.text().contains("depth"))
    }

    @Test func `what is in no family is not told`() {
        Counter(label: "other_total", dimensions: [], factory: self.registry).increment()
        #expect(self.registry.text().isEmpty)
    }
}
