/// The metrics of one name: what they are, and how they are told.
package struct MetricFamily: Sendable {
    package enum Kind: Sendable {
        case counter, gauge
        /// With the upper bounds of its buckets, growing; the last one, which takes all, is understood.
        case histogram([Double])
    }

    package let name: String
    package let kind: Kind
    /// One sentence.
    package let help: String

    package init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
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
