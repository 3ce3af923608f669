import Glibc
import ServiceLifecycle
import UnixSignals

/// Ends the process at once when a second signal comes: somebody does not want to wait for the jobs that run.
///
/// It stands before the worker in its group, and so is the last to be asked to end.
struct SecondSignal: Service {
    func run() async throws {
        var isSecond = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint).cancelOnGracefulShutdown()
        {
            guard isSecond else {
                isSecond = true
                continue
            }
            LogSink.standardError.flush()
            _exit(128 + signal.rawValue)
        }
    }
}
