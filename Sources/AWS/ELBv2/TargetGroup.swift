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
}
