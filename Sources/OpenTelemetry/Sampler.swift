import Traces

/// Decides which traces are recorded (OpenTelemetry SDK specification, "Built-in samplers").
enum Sampler: Equatable, Sendable {
    case always, never
    /// This share of all traces, from 0 to 1; every program that asks about one trace gets the same answer.
    case ratio(Double)
    /// What whoever began the trace decided, and where that is nobody, what the other one says.
    indirect case parent(orElse: Sampler)

    func records(_ trace: TraceID, under parent: TraceContext?) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .ratio(let share): Double(trace.low >> 1) < share * 0x1p63
        case .parent(let root): parent?.isSampled ?? root.records(trace, under: nil)
        }
    }
}
