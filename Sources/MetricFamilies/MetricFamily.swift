/// The metrics of one name: their type and what they mean.
///
/// A family is declared once, as a constant of the code that records it: `CounterFamily`, `GaugeFamily` or
/// `HistogramFamily`. The registry learns of it when the first of its metrics is made. A name is Prometheus' own, with
/// the unit and `_total`.
package struct MetricFamily: Sendable {
    package enum Kind: Sendable, Equatable {
        case counter, gauge
        /// With the upper bounds of its buckets, ascending, in the unit of the name; the bucket above all is implied.
        case histogram([Double])
    }

    package let name: String
    package let kind: Kind
    /// One sentence.
    package let help: String
}

extension MetricFamily.Kind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}
