import CoreMetrics
import Synchronization

/// One line of figures, or the lines of one histogram: the values of one name with one set of labels.
protocol Series: Sendable {
    /// The lines of the text format.
    func samples(of name: String, _ labels: String) -> [String]
}

/// A number that only grows.
final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { self.value.wrappingAdd(amount, ordering: .relaxed) }

    func reset() {}

    func samples(of name: String, _ labels: String) -> [String] {
        ["\(name)\(labels.inBraces) \(self.value.load(ordering: .relaxed))"]
    }
}

/// A value as it is now; while it is not a number it is left out.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(Double.nan)

    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { self.value.withLock { $0 = ($0.isNaN ? 0 : $0) + amount } }
    func decrement(by amount: Double) { self.increment(by: -amount) }
    func record(_ value: Int64) { self.set(value) }
    func record(_ value: Double) { self.set(value) }

    func samples(of name: String, _ labels: String) -> [String] {
        let value = self.value.withLock { $0 }
        return value.isNaN ? [] : ["\(name)\(labels.inBraces) \(value.asSample)"]
    }
}

/// How many values were in which range, and what they come to.
final class HistogramSeries: Series, RecorderHandler, TimerHandler {
    private struct Counts {
        var buckets: [Int]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let counts: Mutex<Counts>

    init(bounds: [Double]) {
        self.bounds = bounds
        self.counts = Mutex(Counts(buckets: [Int](repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        let bucket = self.bounds.firstIndex { value <= $0 } ?? self.bounds.count
        self.counts.withLock { counts in
            counts.buckets[bucket] += 1
            counts.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }

    func samples(of name: String, _ labels: String) -> [String] {
        let counts = self.counts.withLock { $0 }
        let separator = labels.isEmpty ? "" : ","
        var total = 0
        var lines: [String] = []
        for (bound, count) in zip(self.bounds.map(\.asSample) + ["+Inf"], counts.buckets) {
            total += count
            lines.append(#"\#(name)_bucket{\#(labels)\#(separator)le="\#(bound)"} \#(total)"#)
        }
        return lines + [
            "\(name)_sum\(labels.inBraces) \(counts.sum.asSample)",
            "\(name)_count\(labels.inBraces) \(total)",
        ]
    }
}

extension String {
    fileprivate var inBraces: String { self.isEmpty ? "" : "{\(self)}" }
}

extension Double {
    /// As short as it can be without losing anything; whole numbers without a point.
    fileprivate var asSample: String {
        Int64(exactly: self).map { "\($0)" } ?? "\(self)"
    }
}
