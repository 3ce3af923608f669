import CoreMetrics
import MetricFamilies
import Metrics
import Prometheus
import Testing

@Suite struct PrometheusRegistryTests {
    private let registry = PrometheusRegistry()
    private let jobs = CounterFamily("jobs_total", "Jobs.")
    private let depth = GaugeFamily("depth", "How many wait; a \"quote\" and a \\.")
    private let waits = HistogramFamily("wait_seconds", seconds: [0.5, 1], "How long.")

    /// The example of each type in "Text-based format", Prometheus' documentation.
    @Test func `each type is written as the format wants it`() {
        self.jobs([("kind", "a"), ("fate", "b")], in: self.registry).increment(by: 3)
        self.depth(in: self.registry).set(1.5)
        let waits = self.waits([("queue", "q")], in: self.registry)
        for seconds in [0.25, 0.5, 2] { waits.record(duration: .seconds(seconds)) }
        #expect(
            self.registry.text() == """
                # HELP depth How many wait; a "quote" and a \\\\.
                # TYPE depth gauge
                depth 1.5
                # HELP jobs_total Jobs.
                # TYPE jobs_total counter
                jobs_total{kind="a",fate="b"} 3
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
        for _ in 1...2 { self.jobs([("kind", "a")], in: self.registry).increment() }
        #expect(self.registry.text().contains("jobs_total{kind=\"a\"} 2\n"))
    }

    @Test func `label values are escaped`() {
        self.jobs([("kind", "a\"b\\c\nd")], in: self.registry).increment()
        #expect(self.registry.text().contains(#"jobs_total{kind="a\"b\\c\nd"} 1"#))
    }

    @Test func `a counter is exposed as soon as it is made, a gauge while it is a number`() {
        let depth = self.depth(in: self.registry)
        _ = self.jobs(in: self.registry)
        #expect(self.registry.text() == "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total 0\n")
        depth.set(0)
        #expect(self.registry.text().contains("depth 0\n"))
        depth.set(Double.nan)
        #expect(!self.registry.text().contains("depth"))
    }

    @Test func `a counter may be one that something else counts`() {
        GaugeFamily("seconds_total", kind: .counter, "CPU time.")(in: self.registry).set(0.5)
        #expect(
            self.registry.text()
                == "# HELP seconds_total CPU time.\n# TYPE seconds_total counter\nseconds_total 0.5\n"
        )
    }

    @Test func `a metric of no family is not exposed`() {
        Counter(label: "other_total", dimensions: [], factory: self.registry).increment()
        #expect(self.registry.text().isEmpty)
    }
}
