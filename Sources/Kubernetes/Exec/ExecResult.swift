/// What a command in a container printed, and how it ended.
package struct ExecResult: Sendable, Hashable {
    /// The bytes as they came, cut at the limit; in no way checked to be text.
    package let standardOutput: [UInt8]
    package let standardError: [UInt8]
    /// The command's exit code; nil if the connection ended before the server told it, so that nobody knows whether the
    /// command ran to its end.
    package let exitCode: Int?
    /// Whether there was more output, or error output, than the limit.
    package let isTruncated: Bool

    /// A result from its parts.
    package init(standardOutput: [UInt8], standardError: [UInt8], exitCode: Int?, isTruncated: Bool) {
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.exitCode = exitCode
        self.isTruncated = isTruncated
    }
}
