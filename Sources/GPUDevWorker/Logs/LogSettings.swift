import Glibc
import Logging

/// How the program logs, always to standard error.
struct LogSettings: Sendable {
    var level = Logger.Level.info
    var isJSON = isatty(STDERR_FILENO) == 0

    func logger() -> Logger {
        var logger = Logger(label: "gpudev-worker") { label -> any LogHandler in
            self.isJSON ? JSONLogHandler() as any LogHandler : StreamLogHandler.standardError(label: label)
        }
        logger.logLevel = self.level
        return logger
    }
}
