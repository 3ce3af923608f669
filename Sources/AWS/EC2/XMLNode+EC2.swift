import XML

extension Volume {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            id: VolumeID(rawValue: try node.text("volumeId")),
            size: try node.integer("size"),
            state: State(try node.text("status")),
            availabilityZone: node["availabilityZone"] ?? "",
            createTime: try node.date("createTime"),
            attachments: node.list("attachmentSet").map { VolumeAttachment($0) },
            snapshotID: node["snapshotId"].flatMap { $0.isEmpty ? nil : SnapshotID(rawValue: $0) },
            tags: try node.tags("tagSet")
        )
    }
}

extension VolumeAttachment {
    init(_ node: XMLNode) {
        self.init(
            instanceID: InstanceID(rawValue: node["instanceId"] ?? ""),
            // Volumes of some instance types come without a state; they are attached.
            state: State(node["status"] ?? "attached"),
            device: node["device"] ?? ""
        )
    }
}

extension Snapshot {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            id: SnapshotID(rawValue: try node.text("snapshotId")),
            volumeID: VolumeID(rawValue: try node.text("volumeId")),
            state: State(try node.text("status")),
            startTime: try node.date("startTime"),
            volumeSize: try node.integer("volumeSize"),
            description: node["description"] ?? "",
            progress: node["progress"] ?? "",
            tags: try node.tags("tagSet")
        )
    }
}
