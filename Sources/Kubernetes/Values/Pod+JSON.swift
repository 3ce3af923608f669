extension Pod: Decodable {
    private struct Document: Decodable {
        struct Specification: Decodable {
            let nodeName: String?
            let nodeSelector: [String: String]?
            let containers: [Container]
            let initContainers: [Container]?
            let overhead: Resources?
            let volumes: [PodVolume]?
        }

        struct State: Decodable {
            let phase: Phase?
            let reason: String?
            let conditions: [Condition]?
            let containerStatuses: [ContainerStatus]?
            let initContainerStatuses: [ContainerStatus]?
        }

        let metadata: Metadata
        let spec: Specification
        let status: State?
    }

    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        let (metadata, specification) = (document.metadata, document.spec)
        self.init(name: metadata.name, namespace: metadata.namespace ?? "", uid: metadata.uid ?? "")
        self.labels = metadata.labels ?? [:]
        self.annotations = metadata.annotations ?? [:]
        self.createTime = metadata.creationTimestamp?.date
        self.deletionTime = metadata.deletionTimestamp?.date
        self.nodeName = specification.nodeName.flatMap { $0.isEmpty ? nil : $0 }
        self.nodeSelector = specification.nodeSelector ?? [:]
        self.containers = specification.containers
        self.initContainers = specification.initContainers ?? []
        self.overhead = specification.overhead ?? [:]
        self.volumes = specification.volumes ?? []
        self.phase = document.status?.phase ?? .pending
        self.reason = document.status?.reason
        self.conditions = document.status?.conditions ?? []
        self.containerStatuses = document.status?.containerStatuses ?? []
        self.initContainerStatuses = document.status?.initContainerStatuses ?? []
    }
}

extension PodVolume: Decodable {
    private struct Document: Decodable {
        struct ElasticBlockStore: Decodable {
            let volumeID: String
        }

        struct Claim: Decodable {
            let claimName: String
        }

        let name: String
        let awsElasticBlockStore: ElasticBlockStore?
        let persistentVolumeClaim: Claim?
    }

    /// Older manifests write the volume's id as `aws://us-east-2a/vol-…`.
    package init(from decoder: any Decoder) throws {
        let document = try Document(from: decoder)
        let path = document.awsElasticBlockStore?.volumeID.split(separator: "/")
        self.init(
            name: document.name,
            ebsVolumeID: path?.last.map(String.init),
            claimName: document.persistentVolumeClaim?.claimName
        )
    }
}
