package import CoreMetrics

/// A metrics backend that exposes each metric with the type and the help text of its family.
package protocol FamilyRegistry: MetricsFactory {
    /// Makes a family known; called before each of its metrics is made.
    func register(_ family: MetricFamily)
}

extension MetricsFactory {
    func announce(_ family: MetricFamily) { (self as? any FamilyRegistry)?.register(family) }
}
