import XML

extension TargetGroup {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            id: ResourceARN(rawValue: try node.text("TargetGroupArn")),
            name: try node.text("TargetGroupName"),
            protocolName: node["Protocol"] ?? "",
            port: try node.integerIfPresent("Port") ?? 0,
            vpcID: node["VpcId"] ?? "",
            targetType: node["TargetType"] ?? "instance",
            healthCheck: try HealthCheck(node),
            loadBalancers: node.list("LoadBalancerArns").map { ResourceARN(rawValue: $0.text) }
        )
    }
}

extension HealthCheck {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            path: node["HealthCheckPath"] ?? "",
            interval: .seconds(try node.integerIfPresent("HealthCheckIntervalSeconds") ?? 0),
            timeout: .seconds(try node.integerIfPresent("HealthCheckTimeoutSeconds") ?? 0),
            healthyThreshold: try node.integerIfPresent("HealthyThresholdCount") ?? 0,
            unhealthyThreshold: try node.integerIfPresent("UnhealthyThresholdCount") ?? 0,
            matcher: node.child("Matcher")?["HttpCode"] ?? ""
        )
    }
}

extension TargetHealth {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        guard let target = node.child("Target") else {
            throw MalformedAnswer("a target health has no Target")
        }
        self.init(
            target: LoadBalancerTarget(
                instanceID: InstanceID(rawValue: try target.text("Id")),
                port: try target.integerIfPresent("Port") ?? 0
            ),
            state: try node.child("TargetHealth")?.text("State") ?? ""
        )
    }
}

extension ListenerRule {
    init(_ node: XMLNode) throws(MalformedAnswer) {
        self.init(
            id: ResourceARN(rawValue: try node.text("RuleArn")),
            priority: node["Priority"].flatMap { Int($0) },
            isDefault: node["IsDefault"] == "true",
            conditions: node.list("Conditions").map { Condition($0) },
            targetGroups: node.list("Actions").flatMap(\.forwardedGroups)
        )
    }
}

extension ListenerRule.Condition {
    /// The values stand both in the field's own element and, for the older fields, in `Values`.
    init(_ node: XMLNode) {
        let configured = node.children.filter { $0.name.hasSuffix("Config") }.flatMap { $0.list("Values") }
        let values = configured.isEmpty ? node.list("Values") : configured
        self.init(field: node["Field"] ?? "", values: values.map(\.text))
    }
}

extension XMLNode {
    /// The groups of a forward action: one, or several with weights.
    fileprivate var forwardedGroups: [ResourceARN] {
        guard self["Type"] == "forward" else { return [] }
        let weighted =
            self.child("ForwardConfig")?.list("TargetGroups").compactMap { $0["TargetGroupArn"] } ?? []
        let groups = weighted.isEmpty ? [self["TargetGroupArn"]].compactMap { $0 } : weighted
        return groups.map { ResourceARN(rawValue: $0) }
    }
}
