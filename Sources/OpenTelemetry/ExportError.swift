import Calls

/// Why a collector did not take a request.
struct ExportError: CallError {
    /// For people, without secrets.
    let description: String
    let isTransient: Bool
    var retryAfter: Duration?

    /// The pauses are the same whatever the collector says.
    var isThrottling: Bool { false }

    var asCancellation: ExportError { ExportError(CancellationError()) }

    /// No answer, or half of one.
    init(_ error: any Error) {
        self.description = "\(error)"
        self.isTransient = false
    }

    /// An answer that takes nothing; some of these say to come again (OTLP specification, "Retryable Response Codes").
    init(status: Int) {
        self.description = "the collector answered with status \(status)"
        self.isTransient = [429, 502, 503, 504].contains(status)
    }
}
