package import Foundation

/// Runs scripts with the interpreter that `GPUDEV_TEST_PYTHON` names, `python3` without it.
package enum Python {
    /// A script that did not work.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        /// A failure that says what to do about it.
        package init(description: String) {
            self.description = description
        }
    }

    /// What the script prints for `input`, which it gets as JSON.
    package static func run(_ script: URL, input: some Encodable) async throws -> Data {
        let order = try JSONEncoder().encode(input)
        return try await outsideThePool { try self.run(script, order) }
    }

    private static func run(_ script: URL, _ order: Data) throws -> Data {
        let (process, standardInput, standardOutput) = try self.start(script)
        try standardInput.fileHandleForWriting.write(contentsOf: order)
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: """
                    \(script.lastPathComponent) failed; the interpreter (GPUDEV_TEST_PYTHON) needs boto3 and botocore
                    """
            )
        }
        return output
    }

    /// Starts a script and leaves it running.
    package static func start(_ script: URL) throws -> (process: Process, input: Pipe, output: Pipe) {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        let interpreter = ProcessInfo.processInfo.environment["GPUDEV_TEST_PYTHON"] ?? "python3"
        process.arguments = [interpreter, script.path]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        return (process, input, output)
    }
}
