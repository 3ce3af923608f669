/// A world that breaks a rule, with as few steps as it takes.
package struct BrokenWorld: Error, CustomStringConvertible {
    let seed: UInt64
    let steps: [Step]
    let violation: String
    let trace: [String]

    /// The rule that is broken, in a word.
    var sort: String { String(self.violation.prefix { $0 != ":" }) }

    package var description: String {
        "world \(self.seed): \(self.violation)\n  "
            + self.steps.map { "\($0)" }.joined(separator: "\n  ") + "\n---\n"
            + self.trace.joined(separator: "\n") + "\n"
    }
}
