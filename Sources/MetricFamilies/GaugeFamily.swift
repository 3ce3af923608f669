package import CoreMetrics

/// Metrics of one name that have a value now.
package struct GaugeFamily: Sendable {
    private let family: MetricFamily

    /// - Parameters:
    ///   - name: The name.
    ///   - kind: Another kind than a gauge where something else does the counting and only the total is known.
    ///   - help: One sentence.
    package init(_ name: String, kind: MetricFamily.Kind = .gauge, _ help: String) {
        self.family = MetricFamily(name: name, kind: kind, help: help)
    }

    /// The gauge with these labels, exposed while its value is a number.
    package func callAsFunction(
        _ labels: [(String, String)] = [],
        in factory: any MetricsFactory = MetricsSystem.factory
    ) -> Meter {
        factory.announce(self.family)
        return Meter(label: self.family.name, dimensions: labels, factory: factory)
    }
}
