import Foundation

/// Runs the scripts in `Peers` with the interpreter that `GPUDEV_TEST_PYTHON` names, `python3` without it.
enum Python {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// One script at a time: an interpreter that loads boto3 keeps a core busy for a second.
    private static let queue = DispatchQueue(label: "python")

    /// What the script prints for `input`, awaited where nobody else is held up by it.
    static func run(_ script: String, input: some Encodable) async throws -> Data {
        let input = try JSONEncoder().encode(input)
        return try await withCheckedThrowingContinuation { continuation in
            self.queue.async {
                continuation.resume(with: Result { try self.output(of: script, for: input) })
            }
        }
    }

    private static func output(of script: String, for input: Data) throws -> Data {
        let (process, standardInput, standardOutput) = try self.start(script)
        try standardInput.fileHandleForWriting.write(contentsOf: input)
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: "\(script) failed; the interpreter (GPUDEV_TEST_PYTHON) needs boto3 and botocore"
            )
        }
        return output
    }

    /// Starts a script and leaves it running.
    static func start(_ script: String) throws -> (process: Process, input: Pipe, output: Pipe) {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        let interpreter = ProcessInfo.processInfo.environment["GPUDEV_TEST_PYTHON"] ?? "python3"
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Peers/\(script)")
            .path
        process.arguments = [interpreter, path]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        return (process, input, output)
    }
}
