import Foundation
import Glibc

/// The two ways out: results for programs on standard output, words for people on standard error.
enum Terminal {
    static let isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    static let showsErrors = isatty(STDERR_FILENO) == 1

    static func print(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    static func complain(_ line: String) {
        FileHandle.standardError.write(Data(("gpudev-worker: \(line)\n").utf8))
    }

    /// Rewrites one line, where there is somebody to see it.
    static func show(progress text: String) {
        guard Self.showsErrors else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    /// Asks a person; programs are not asked.
    static func confirms(_ question: String) -> Bool {
        guard Self.isInteractive else { return true }
        FileHandle.standardError.write(Data("\(question) [y/N] ".utf8))
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }
}
