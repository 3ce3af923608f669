package import FoundationEssentials

/// An EBS volume as EC2 describes it.
package struct Volume: Sendable, Identifiable {
    /// The states of a volume; `unknown` keeps a word that EC2 may add one day.
    package enum State: Hashable, Sendable {
        case creating, available, inUse, deleting, deleted, error
        case unknown(String)
    }

    package let id: VolumeID
    /// GiB.
    package let size: Int
    package let state: State
    package let availabilityZone: String
    package let createTime: Date
    package let attachments: [VolumeAttachment]
    /// The snapshot that the volume was made from; nil for an empty one.
    package let snapshotID: SnapshotID?
    package let tags: Tags

    /// A volume from its parts.
    package init(
        id: VolumeID,
        size: Int,
        state: State,
        availabilityZone: String,
        createTime: Date,
        attachments: [VolumeAttachment] = [],
        snapshotID: SnapshotID? = nil,
        tags: Tags = [:]
    ) {
        self.id = id
        self.size = size
        self.state = state
        self.availabilityZone = availabilityZone
        self.createTime = createTime
        self.attachments = attachments
        self.snapshotID = snapshotID
        self.tags = tags
    }

    /// Whether an instance has the volume, or is about to have or lose it.
    package var isAttached: Bool { self.attachments.contains { $0.state != .detached } }
}

extension Volume.State {
    /// The state for EC2's word.
    package init(_ word: String) {
        switch word {
        case "creating": self = .creating
        case "available": self = .available
        case "in-use": self = .inUse
        case "deleting": self = .deleting
        case "deleted": self = .deleted
        case "error": self = .error
        default: self = .unknown(word)
        }
    }
}

/// The tie between a volume and an instance.
package struct VolumeAttachment: Sendable, Hashable {
    /// The states of an attachment; `unknown` keeps a word that EC2 may add one day.
    package enum State: Hashable, Sendable {
        case attaching, attached, detaching, detached, busy
        case unknown(String)
    }

    package let instanceID: InstanceID
    package let state: State
    /// The device on the instance, such as `/dev/sdf`.
    package let device: String
}

extension VolumeAttachment.State {
    /// The state for EC2's word.
    package init(_ word: String) {
        switch word {
        case "attaching": self = .attaching
        case "attached": self = .attached
        case "detaching": self = .detaching
        case "detached": self = .detached
        case "busy": self = .busy
        default: self = .unknown(word)
        }
    }
}
