package import CoreMetrics
package import MetricFamilies
import Synchronization

/// Keeps the metrics of the process, and exposes them in Prometheus' text format.
///
/// Metrics that belong to no registered family are dropped: a library of others may record under names that nobody
/// here promises.
package final class PrometheusRegistry: FamilyRegistry {
    private let families = Mutex<[String: Family]>([:])

    private struct Family {
        let declaration: MetricFamily
        /// By their labels, as the text format writes them.
        var series: [String: any Series] = [:]
    }

    package init() {}

    package func register(_ family: MetricFamily) {
        self.families.withLock { families in
            guard let known = families[family.name]?.declaration else {
                families[family.name] = Family(declaration: family)
                return
            }
            assert(known.kind == family.kind, "\(family.name) is declared twice, with different types")
        }
    }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.find(label, dimensions) { _ in CounterSeries() } ?? NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.find(label, dimensions) { _ in GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool)
        -> any RecorderHandler
    {
        guard aggregate else {
            return self.find(label, dimensions) { _ in GaugeSeries() } ?? NOOPMetricsHandler.instance
        }
        return self.histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.histogram(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    /// Series stay for the life of the process: a counter that starts anew would look like a restart.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}

extension PrometheusRegistry {
    /// All that has been recorded, by name; text format 0.0.4.
    package func text() -> String {
        let families = self.families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            let lines = family.series.sorted { $0.key < $1.key }
                .flatMap { labels, series in series.samples(of: name, labels) }
            guard !lines.isEmpty else { continue }
            let declaration = family.declaration
            text += "# HELP \(name) \(declaration.help.escapedHelp)\n# TYPE \(name) \(declaration.kind)\n"
            for line in lines { text += line + "\n" }
        }
        return text
    }

    private func histogram(_ name: String, _ dimensions: [(String, String)]) -> HistogramSeries? {
        self.find(name, dimensions) { kind in
            guard case .histogram(let bounds) = kind else { return nil }
            return HistogramSeries(bounds: bounds)
        }
    }

    /// The series with these labels, made if it is new; nil if no such family is registered or its series are of
    /// another type.
    private func find<Found: Series>(
        _ name: String,
        _ dimensions: [(String, String)],
        make: (MetricFamily.Kind) -> Found?
    ) -> Found? {
        let labels = dimensions.map { #"\#($0)="\#($1.escapedLabel)""# }.joined(separator: ",")
        return self.families.withLock { families in
            guard let family = families[name] else { return nil }
            if let known = family.series[labels] { return known as? Found }
            let made = make(family.declaration.kind)
            if let made { families[name]?.series[labels] = made }
            return made
        }
    }
}

extension String {
    fileprivate var escapedHelp: String {
        self.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    fileprivate var escapedLabel: String { self.escapedHelp.replacing("\"", with: "\\\"") }
}
