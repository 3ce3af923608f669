import Glibc
import Logging

/// How the program logs, always to standard error.
struct LogSettings: Sendable {
    var level = Logger.Level.info
    var isJSON = isatty(STDERR_FILENO) == 0

    func logger() -> Logger {
        atexit { LogSink.standardError.flush() }
        var logger = Logger(label: "gpudev-worker") { _ in
            LineLogHandler(self.isJSON ? .json : .text, into: .standardError)
        }
        logger.logLevel = self.level
        return logger
    }
}
