package import FoundationEssentials

/// Which dead-letter messages are meant; a dead-letter message must meet all that is set.
package struct DeadLetterFilter: Sendable {
    package var kind: String?
    package var reason: String?
    package var job: String?

    /// Died before this time.
    package var before: Date?

    package init() {}

    func accepts(_ letter: DeadLetter) -> Bool {
        if let kind, letter.kind.name != kind { return false }
        if let reason, letter.reason != reason { return false }
        if let job, letter.messageID?.lowercased() != job.lowercased() { return false }
        if let before, letter.deadAt.map({ $0 >= before }) ?? true { return false }
        return true
    }
}
