extension ELBv2Client {
    /// Adds targets to a group; those that are in it stay.
    package func registerTargets(
        _ targets: [LoadBalancerTarget],
        in group: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        guard !targets.isEmpty else { return }
        try await self.client.form(
            .registerTargets,
            Self.parameters(group, targets),
            deadline: deadline
        )
    }

    /// Takes targets out of a group; those that are not in it do no harm.
    package func deregisterTargets(
        _ targets: [LoadBalancerTarget],
        from group: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        guard !targets.isEmpty else { return }
        _ = try await self.client.unlessAbsent(["InvalidTarget"]) { () throws(AWSError) in
            try await self.client.form(
                .deregisterTargets,
                Self.parameters(group, targets),
                deadline: deadline
            )
        }
    }

    /// The targets of a group with their states; draining ones are no longer registered.
    package func describeTargetHealth(
        of group: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [TargetHealth] {
        try await self.client.form(.describeTargetHealth, Self.parameters(group, []), deadline: deadline) {
            node throws(MalformedAnswer) in
            try node.list("TargetHealthDescriptions").map { node throws(MalformedAnswer) in
                try TargetHealth(node)
            }
        }
    }

    private static func parameters(_ group: ResourceARN, _ targets: [LoadBalancerTarget]) -> FormParameters {
        var parameters = FormParameters()
        parameters.add("TargetGroupArn", group.rawValue)
        for (index, target) in targets.enumerated() {
            parameters.add("Targets.member.\(index + 1).Id", target.instanceID.rawValue)
            parameters.add("Targets.member.\(index + 1).Port", target.port)
        }
        return parameters
    }
}

extension AWSOperation {
    fileprivate static let registerTargets = AWSOperation(
        .elasticLoadBalancing,
        "RegisterTargets",
        .idempotentWrite,
        rate: .loadBalancerRegister
    )
    fileprivate static let deregisterTargets = AWSOperation(
        .elasticLoadBalancing,
        "DeregisterTargets",
        .idempotentWrite,
        rate: .loadBalancerRegister
    )
    fileprivate static let describeTargetHealth = AWSOperation(
        .elasticLoadBalancing,
        "DescribeTargetHealth",
        .read,
        rate: .loadBalancerDescribe
    )
}
