import Glibc
import Logging
import Traces
import Tracing

/// How the program logs, always to standard error.
struct LogSettings: Sendable {
    var level = Logger.Level.info
    var isJSON = isatty(STDERR_FILENO) == 0

    /// - Parameter isTraced: Whether lines name the span that they are written in.
    func logger(traced isTraced: Bool = false) -> Logger {
        atexit { LogSink.standardError.flush() }
        var logger = Logger(label: "gpudev-worker") { _ in
            var handler = LineLogHandler(self.isJSON ? .json : .text, into: .standardError)
            if isTraced { handler.metadataProvider = .trace }
            return handler
        }
        logger.logLevel = self.level
        return logger
    }
}

extension Logger.MetadataProvider {
    /// The names are those of OpenTelemetry's "Trace context in non-OTLP log formats".
    fileprivate static let trace = Logger.MetadataProvider {
        guard let trace = ServiceContext.current?.trace else { return [:] }
        return ["trace_id": "\(trace.traceID)", "span_id": "\(trace.spanID)"]
    }
}
