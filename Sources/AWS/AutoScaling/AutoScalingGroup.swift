import XML

/// A scaling group as Auto Scaling describes it.
package struct AutoScalingGroup: Sendable, Hashable {
    /// An instance of a group.
    package struct Member: Sendable, Hashable {
        package let instanceID: InstanceID
        /// Auto Scaling's word, such as `InService`.
        package let lifecycleState: String
        /// `Healthy` or `Unhealthy`.
        package let healthStatus: String
        package let instanceType: String
        package let availabilityZone: String
    }

    package let name: String
    package let minimumSize: Int
    package let maximumSize: Int
    package let desiredCapacity: Int
    package let members: [Member]
    package let tags: Tags

    /// A group from its parts.
    package init(
        name: String,
        minimumSize: Int,
        maximumSize: Int,
        desiredCapacity: Int,
        members: [Member],
        tags: Tags = [:]
    ) {
        self.name = name
        self.minimumSize = minimumSize
        self.maximumSize = maximumSize
        self.desiredCapacity = desiredCapacity
        self.members = members
        self.tags = tags
    }
}

extension AutoScalingGroup {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            name: try node.text("AutoScalingGroupName"),
            minimumSize: try node.integer("MinSize"),
            maximumSize: try node.integer("MaxSize"),
            desiredCapacity: try node.integer("DesiredCapacity"),
            members: try node.list("Instances").map { member throws(MalformedAnswer) in try Member(member) },
            tags: try node.tags("Tags")
        )
    }
}

extension AutoScalingGroup.Member {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            instanceID: InstanceID(rawValue: try node.text("InstanceId")),
            lifecycleState: node["LifecycleState"] ?? "",
            healthStatus: node["HealthStatus"] ?? "",
            instanceType: node["InstanceType"] ?? "",
            availabilityZone: node["AvailabilityZone"] ?? ""
        )
    }
}
