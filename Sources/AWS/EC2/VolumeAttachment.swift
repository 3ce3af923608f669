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

    /// An attachment from its parts.
    package init(instanceID: InstanceID, state: State, device: String) {
        self.instanceID = instanceID
        self.state = state
        self.device = device
    }
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
