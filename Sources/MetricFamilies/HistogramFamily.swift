package import CoreMetrics

/// Durations of one name, counted by range.
package struct HistogramFamily: Sendable {
    private let family: MetricFamily

    /// - Parameters:
    ///   - name: The name.
    ///   - seconds: The upper bounds of the buckets, ascending.
    ///   - help: One sentence.
    package init(_ name: String, seconds: [Double], _ help: String) {
        self.family = MetricFamily(name: name, kind: .histogram(seconds), help: help)
    }

    /// The histogram with these labels, exposed from now on.
    package func callAsFunction(
        _ labels: [(String, String)] = [],
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> Timer {
        factory.announce(self.family)
        return Timer(label: self.family.name, dimensions: labels, factory: factory)
    }
}
