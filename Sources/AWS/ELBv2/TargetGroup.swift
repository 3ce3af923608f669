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
