package import FoundationEssentials

/// An EBS snapshot as EC2 describes it.
package struct Snapshot: Sendable, Identifiable {
    /// The states of a snapshot; `unknown` keeps a word that EC2 may add one day.
    package enum State: Hashable, Sendable {
        case pending, completed, error, recoverable, recovering
        case unknown(String)
    }

    package let id: SnapshotID
    package let volumeID: VolumeID
    package let state: State
    package let startTime: Date
    /// The size of the volume it was taken of, GiB.
    package let volumeSize: Int
    package let description: String
    /// EC2's words for how far it is, such as `42%`.
    package let progress: String
    package let tags: Tags

    /// A snapshot from its parts.
    package init(
        id: SnapshotID,
        volumeID: VolumeID,
        state: State,
        startTime: Date,
        volumeSize: Int,
        description: String = "",
        progress: String = "",
        tags: Tags = [:]
    ) {
        self.id = id
        self.volumeID = volumeID
        self.state = state
        self.startTime = startTime
        self.volumeSize = volumeSize
        self.description = description
        self.progress = progress
        self.tags = tags
    }
}

extension Snapshot.State {
    /// The state for EC2's word.
    package init(_ word: String) {
        switch word {
        case "pending": self = .pending
        case "completed": self = .completed
        case "error": self = .error
        case "recoverable": self = .recoverable
        case "recovering": self = .recovering
        default: self = .unknown(word)
        }
    }
}
