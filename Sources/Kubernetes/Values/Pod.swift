package import FoundationEssentials

/// A pod as its API server describes it.
package struct Pod: Sendable, Hashable {
    package enum Phase: String, Sendable, Decodable {
        case pending = "Pending"
        case running = "Running"
        case succeeded = "Succeeded"
        case failed = "Failed"
        case unknown = "Unknown"
    }

    package var name: String
    package var namespace: String
    /// Tells this pod from an earlier or a later one of the same name.
    package var uid: String
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    package var createTime: Date?
    /// When it is to be gone; nil as long as nobody has asked for its end.
    package var deletionTime: Date?
    package var phase = Phase.running
    /// Where it runs; nil as long as it waits for a node.
    package var nodeName: String?
    /// Labels that its node must have.
    package var nodeSelector: [String: String] = [:]
    package var conditions: [Condition] = []
    package var containers: [Container] = []
    package var initContainers: [Container] = []
    /// What its runtime takes beside the containers.
    package var overhead: Resources = [:]
    package var volumes: [PodVolume] = []
    package var containerStatuses: [ContainerStatus] = []
    package var initContainerStatuses: [ContainerStatus] = []
    /// Why it is as it is, such as `Evicted`.
    package var reason: String?

    /// A running pod with nothing in it.
    package init(name: String, namespace: String, uid: String) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
    }

    /// Whether somebody has asked for its end.
    package var isTerminating: Bool { self.deletionTime != nil }

    /// What is said of it under this name, such as `PodScheduled`.
    package func condition(_ type: String) -> Condition? { self.conditions.first { $0.type == type } }
}

/// A volume of a pod, as far as it is one of EBS.
package struct PodVolume: Sendable, Hashable {
    package let name: String
    /// The EBS volume, such as `vol-0123456789abcdef0`; nil for another kind of volume.
    package let ebsVolumeID: String?
    /// The claim through which it gets one.
    package let claimName: String?

    /// A volume from its parts.
    package init(name: String, ebsVolumeID: String? = nil, claimName: String? = nil) {
        self.name = name
        self.ebsVolumeID = ebsVolumeID
        self.claimName = claimName
    }
}
