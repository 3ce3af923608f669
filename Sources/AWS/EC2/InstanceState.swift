/// The states of an instance; `unknown` keeps a word that EC2 may add one day.
package enum InstanceState: Hashable, Sendable {
    case pending, running, shuttingDown, terminated, stopping, stopped
    case unknown(String)
}

extension InstanceState {
    /// The state for EC2's word.
    package init(_ word: String) {
        switch word {
        case "pending": self = .pending
        case "running": self = .running
        case "shutting-down": self = .shuttingDown
        case "terminated": self = .terminated
        case "stopping": self = .stopping
        case "stopped": self = .stopped
        default: self = .unknown(word)
        }
    }
}
