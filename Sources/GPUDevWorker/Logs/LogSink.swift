import Dispatch
import Glibc
import Synchronization

/// Standard error, written by a thread of its own, so that whoever does not read the log stops no job.
///
/// Lines gather for a few milliseconds and go out together. While nobody reads they wait in memory, up to a limit;
/// beyond that they are dropped, and the log says how many were.
final class LogSink: Sendable {
    private struct Pending {
        var bytes: [UInt8] = []
        var dropped = 0
        var isScheduled = false
    }

    static let standardError = LogSink(descriptor: STDERR_FILENO, limit: 1 << 20)

    private let descriptor: CInt
    private let limit: Int
    private let pending = Mutex(Pending())
    private let writer = DispatchQueue(label: "log")

    private static let gathering: DispatchTimeInterval = .milliseconds(20)
    private static let flushTimeout: DispatchTimeInterval = .seconds(1)

    init(descriptor: CInt, limit: Int) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Takes a whole line, with its newline.
    func write(_ line: [UInt8]) {
        let isFirst = self.pending.withLock { pending in
            guard pending.bytes.count + line.count <= self.limit else {
                pending.dropped += 1
                return false
            }
            pending.bytes += line
            defer { pending.isScheduled = true }
            return !pending.isScheduled
        }
        if isFirst { self.writer.asyncAfter(deadline: .now() + Self.gathering) { self.drain() } }
    }

    /// Waits a moment for what is pending to be written; for the end of the process.
    func flush() {
        let isDone = DispatchSemaphore(value: 0)
        self.writer.async {
            self.drain()
            isDone.signal()
        }
        _ = isDone.wait(timeout: .now() + Self.flushTimeout)
    }

    private func drain() {
        let (bytes, dropped) = self.pending.withLock { pending in
            defer { pending = Pending() }
            return (pending.bytes, pending.dropped)
        }
        self.writeFully(bytes)
        if dropped > 0 {
            self.writeFully(
                Array(
                    #"{"level":"warning","message":"\#(dropped) lines of this log were dropped: nobody read it"}"#
                        .utf8
                ) + [10]
            )
        }
    }

    private func writeFully(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(self.descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 || errno == EINTR || errno == EAGAIN else { return }
            if count > 0 { rest = rest.dropFirst(count) } else if errno == EAGAIN { usleep(10_000) }
        }
    }
}
