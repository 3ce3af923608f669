/// A target group as ELBv2 describes it.
package struct TargetGroup: Sendable, Identifiable {
    package let id: ResourceARN
    package let name: String
    /// In ELBv2's words: `HTTP`.
    package let protocolName: String
    package let port: Int
    package let vpcID: String
    package let targetType: String
    package let healthCheck: HealthCheck
    /// The load balancers that send traffic to it.
    package let loadBalancers: [ResourceARN]

    /// A target group from its parts.
    package init(
        id: ResourceARN,
        name: String,
        protocolName: String,
        port: Int,
        vpcID: String,
        targetType: String,
        healthCheck: HealthCheck,
        loadBalancers: [ResourceARN] = []
    ) {
        self.id = id
        self.name = name
        self.protocolName = protocolName
        self.port = port
        self.vpcID = vpcID
        self.targetType = targetType
        self.healthCheck = healthCheck
        self.loadBalancers = loadBalancers
    }
}

/// What a new target group is to be like: HTTP to instances.
package struct TargetGroupSettings: Sendable, Hashable {
    /// At most 32 letters, digits and hyphens.
    package var name: String
    package var port: Int
    package var vpcID: String
    package var healthCheck: HealthCheck

    /// A group of instances that answer HTTP on `port`.
    package init(name: String, port: Int, vpcID: String, healthCheck: HealthCheck = HealthCheck()) {
        self.name = name
        self.port = port
        self.vpcID = vpcID
        self.healthCheck = healthCheck
    }
}

/// An instance and the port on which it takes traffic.
package struct LoadBalancerTarget: Sendable, Hashable {
    package let instanceID: InstanceID
    package let port: Int

    /// A target on an instance.
    package init(instanceID: InstanceID, port: Int) {
        self.instanceID = instanceID
        self.port = port
    }
}

/// A registered target and what its load balancer thinks of it.
package struct TargetHealth: Sendable, Hashable {
    package let target: LoadBalancerTarget
    /// In ELBv2's words: `initial`, `healthy`, `unhealthy`, `unused`, `draining`, `unavailable`.
    package let state: String

    /// Whether the target still belongs to the group; a draining one has been deregistered.
    package var isRegistered: Bool { self.state != "draining" }
}
