import Subprocess
import SystemPackage

/// One run of another program for what it prints.
struct ProgramRun: Sendable {
    /// Why there is no output.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// A path, or a name that is looked up in `PATH`.
    let program: String
    let arguments: [String]
    /// What it gets beside what this program has.
    let variables: [String: String]

    /// More is no credential.
    private static let limit = 1 << 20

    /// What it prints if it ends well; it is killed at the deadline.
    func output(deadline: ContinuousClock.Instant) async throws -> [UInt8] {
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.output() }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                throw Failure(description: "it took too long")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    private func output() async throws -> [UInt8] {
        let result = try await Subprocess.run(
            self.program.contains("/") ? .path(FilePath(self.program)) : .name(self.program),
            arguments: Arguments(self.arguments),
            environment: .inherit.updating(
                Dictionary(
                    uniqueKeysWithValues: self.variables.map { (Environment.Key(stringLiteral: $0), $1) }
                )
            ),
            output: .bytes(limit: Self.limit),
            error: .discarded
        )
        switch result.terminationStatus {
        case .exited(0): return result.standardOutput
        case .exited(let code): throw Failure(description: "it ended with status \(code)")
        case .signaled(let signal): throw Failure(description: "it was ended by signal \(signal)")
        }
    }
}
