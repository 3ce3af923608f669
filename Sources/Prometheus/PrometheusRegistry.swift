package import CoreMetrics
import Synchronization

/// Keeps the metrics of the process, and writes them down in Prometheus' text format.
///
/// It has the families that it was made with. What anybody records under another name goes nowhere: the names, and
/// the values of their labels, are a contract with those who watch. A name is Prometheus' own, with unit and `_total`.
package final class PrometheusRegistry: MetricsFactory {
    private let families: [MetricFamily]
    private let kinds: [String: MetricFamily.Kind]
    private let series = Mutex<[String: [String: any Series]]>([:])

    package init(_ families: [MetricFamily]) {
        self.families = families
        self.kinds = Dictionary(uniqueKeysWithValues: families.map { ($0.name, $0.kind) })
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
    /// All that has been recorded, in the order of the families; text format 0.0.4.
    package func text() -> String {
        let series = self.series.withLock { $0 }
        var text = ""
        for family in self.families {
            let lines = (series[family.name] ?? [:]).sorted { $0.key < $1.key }
                .flatMap { labels, series in series.samples(of: family.name, labels) }
            guard !lines.isEmpty else { continue }
            text += "# HELP \(family.name) \(family.help.escapedHelp)\n# TYPE \(family.name) \(family.kind)\n"
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

    /// The series of these labels, made if it is new; nil if the family is unknown or has series of another sort.
    private func find<Found: Series>(
        _ name: String,
        _ dimensions: [(String, String)],
        make: (MetricFamily.Kind) -> Found?
    ) -> Found? {
        guard let kind = self.kinds[name] else { return nil }
        let labels = dimensions.map { #"\#($0)="\#($1.escapedLabel)""# }.joined(separator: ",")
        return self.series.withLock { all in
            if let known = all[name]?[labels] { return known as? Found }
            let made = make(kind)
            if let made { all[name, default: [:]][labels] = made }
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
