import Foundation

/// One run of another program for what it prints.
struct ProgramRun: Sendable {
    /// Why there is no output.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The program, found in `PATH` unless it is a path, and its arguments.
    let command: [String]
    let environment: [String: String]

    /// What it prints if it ends well; it is killed at the deadline.
    func output(deadline: ContinuousClock.Instant) async throws -> Data {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["--"] + self.command
        process.environment = self.environment
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardOutput = pipe
        return try await withThrowingTaskGroup { group in
            try process.run()
            group.addTask { try await Self.wait(for: process, pipe) }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                process.terminate()
                throw Failure(description: "it took too long")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? Data()
        }
    }

    /// Reads on a thread of its own, since both waits block.
    private static func wait(for process: Process, _ pipe: Pipe) async throws -> Data {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let output = (try? pipe.fileHandleForReading.readToEnd()) ?? Data()
                process.waitUntilExit()
                guard process.terminationStatus == 0 else {
                    let failure = Failure(description: "it ended with status \(process.terminationStatus)")
                    return continuation.resume(throwing: failure)
                }
                continuation.resume(returning: output)
            }
        }
    }
}
