import Glibc
import Jobs

/// The two ways out: results for programs on standard output, words for people on standard error.
enum Terminal {
    static let isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    static let showsErrors = isatty(STDERR_FILENO) == 1

    static func print(_ line: String) { Self.write("\(line)\n", to: STDOUT_FILENO) }
    /// A result in JSON, for a program or for a person.
    static func print(json: String) { Self.print(json.withEscapedControls) }
    static func complain(_ line: String) {
        Self.write("gpudev-worker: \(line.cleaned())\n", to: STDERR_FILENO)
    }

    /// Rewrites one line, where there is somebody to see it.
    static func show(progress text: String) {
        guard Self.showsErrors else { return }
        Self.write("\r\u{1B}[K\(text)", to: STDERR_FILENO)
    }

    /// Asks a person; programs are not asked.
    static func confirms(_ question: String) -> Bool {
        guard Self.isInteractive else { return true }
        Self.write("\(question) [y/N] ", to: STDERR_FILENO)
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }

    /// What standard input has, to its end.
    static func readAll() -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe part.withUnsafeMutableBytes {
                unsafe Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count)
            }
            guard count > 0 || (count < 0 && errno == EINTR) else { return all }
            all += part.prefix(max(0, count))
        }
    }

    /// A result that cannot be written is no result: the program ends as it does where nobody reads it.
    private static func write(_ text: String, to descriptor: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 || errno == EINTR else { Glibc.exit(1) }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
