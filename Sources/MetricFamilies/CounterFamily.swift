package import CoreMetrics

/// Metrics of one name that only grow.
package struct CounterFamily: Sendable {
    private let family: MetricFamily

    package init(_ name: String, _ help: String) {
        self.family = MetricFamily(name: name, kind: .counter, help: help)
    }

    /// The counter with these labels, exposed from now on, at 0 until it is incremented.
    package func callAsFunction(
        _ labels: [(String, String)] = [],
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> Counter {
        factory.announce(self.family)
        return Counter(label: self.family.name, dimensions: labels, factory: factory)
    }
}
