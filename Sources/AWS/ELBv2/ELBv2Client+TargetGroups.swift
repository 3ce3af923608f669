import XML

extension ELBv2Client {
    /// Makes a target group, which AWS does once where all settings are the same.
    ///
    /// A group of this name with other settings is refused with `awsCode` `DuplicateTargetGroupName`: look at it and
    /// its tags, then adopt, change or refuse it.
    package func createTargetGroup(
        _ settings: TargetGroupSettings,
        tags: Tags,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> TargetGroup {
        var parameters = FormParameters()
        parameters.add("Name", settings.name)
        parameters.add("Protocol", "HTTP")
        parameters.add("Port", settings.port)
        parameters.add("VpcId", settings.vpcID)
        parameters.add("TargetType", "instance")
        parameters.add(settings.healthCheck)
        parameters.add("Tags", tags, prefix: "member.")
        return try await self.client.form(.createTargetGroup, parameters, deadline: deadline) {
            node throws(MalformedAnswer) in try node.firstTargetGroup()
        }
    }

    /// The target group of this name, or nil if there is none.
    package func targetGroup(
        named name: String,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> TargetGroup? {
        var parameters = FormParameters()
        parameters.add("Names", [name], prefix: "member.")
        return try await self.targetGroup(parameters, deadline: deadline)
    }

    /// The target group, or nil if it is gone.
    package func targetGroup(
        _ id: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> TargetGroup? {
        var parameters = FormParameters()
        parameters.add("TargetGroupArns", [id.rawValue], prefix: "member.")
        return try await self.targetGroup(parameters, deadline: deadline)
    }

    /// All target groups of the region, in no order.
    package func describeTargetGroups(
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [TargetGroup] {
        var parameters = FormParameters()
        parameters.add("PageSize", 400)
        return try await self.client.pages(
            .describeTargetGroups,
            parameters,
            list: "TargetGroups",
            by: .elbv2,
            deadline: deadline
        ) { node throws(MalformedAnswer) in try TargetGroup(node) }
    }

    /// Changes the health check; port, protocol, VPC and target type of a group can never change.
    package func modifyTargetGroup(
        _ id: ResourceARN,
        healthCheck: HealthCheck,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) {
        var parameters = FormParameters()
        parameters.add("TargetGroupArn", id.rawValue)
        parameters.add(healthCheck)
        try await self.client.form(.modifyTargetGroup, parameters, deadline: deadline)
    }

    /// Deletes the group; false if it was gone already.
    ///
    /// While a rule still names it, and for some time after, it is refused with `awsCode` `ResourceInUse`.
    @discardableResult
    package func deleteTargetGroup(
        _ id: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Bool {
        var parameters = FormParameters()
        parameters.add("TargetGroupArn", id.rawValue)
        let done: Void? = try await self.client.unlessAbsent(["TargetGroupNotFound"]) { () throws(AWSError) in
            try await self.client.form(.deleteTargetGroup, parameters, deadline: deadline)
        }
        return done != nil
    }

    private func targetGroup(
        _ parameters: FormParameters,
        deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> TargetGroup? {
        try await self.client.unlessAbsent(["TargetGroupNotFound"]) { () throws(AWSError) in
            try await self.client.form(.describeTargetGroups, parameters, deadline: deadline) {
                node throws(MalformedAnswer) in try node.firstTargetGroup()
            }
        }
    }
}

extension FormParameters {
    fileprivate mutating func add(_ check: HealthCheck) {
        self.add("HealthCheckProtocol", "HTTP")
        self.add("HealthCheckPath", check.path)
        self.add("HealthCheckIntervalSeconds", Int(check.interval.components.seconds))
        self.add("HealthCheckTimeoutSeconds", Int(check.timeout.components.seconds))
        self.add("HealthyThresholdCount", check.healthyThreshold)
        self.add("UnhealthyThresholdCount", check.unhealthyThreshold)
        self.add("Matcher.HttpCode", check.matcher)
    }
}

extension XMLNode {
    fileprivate func firstTargetGroup() throws(MalformedAnswer) -> TargetGroup {
        guard let node = self.list("TargetGroups").first else {
            throw MalformedAnswer("no target group in TargetGroups")
        }
        return try TargetGroup(node)
    }
}

extension AWSOperation {
    fileprivate static let createTargetGroup = AWSOperation(
        .elasticLoadBalancing,
        "CreateTargetGroup",
        .idempotentWrite,
        rate: .loadBalancerModify
    )
    fileprivate static let describeTargetGroups = AWSOperation(
        .elasticLoadBalancing,
        "DescribeTargetGroups",
        .read,
        rate: .loadBalancerDescribe
    )
    fileprivate static let modifyTargetGroup = AWSOperation(
        .elasticLoadBalancing,
        "ModifyTargetGroup",
        .idempotentWrite,
        rate: .loadBalancerModify
    )
    fileprivate static let deleteTargetGroup = AWSOperation(
        .elasticLoadBalancing,
        "DeleteTargetGroup",
        .idempotentWrite,
        rate: .loadBalancerModify
    )
}
