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
