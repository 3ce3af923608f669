import XML

extension ELBv2Client {
    /// All rules of a listener, the default one included.
    package func describeRules(
        of listener: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> [ListenerRule] {
        var parameters = FormParameters()
        parameters.add("ListenerArn", listener.rawValue)
        parameters.add("PageSize", 400)
        return try await self.client.pages(
            .describeRules,
            parameters,
            list: "Rules",
            by: .elbv2,
            deadline: deadline
        ) { node throws(MalformedAnswer) in try ListenerRule(node) }
    }

    /// Makes a rule that forwards requests for `host` to a target group.
    ///
    /// A repetition would make a second rule: look among `describeRules` for the host first. For that reason a lost
    /// answer is not repeated here but thrown as `unknownOutcome`. A taken priority is refused with `awsCode`
    /// `PriorityInUse`.
    package func createRule(
        for host: String,
        on listener: ResourceARN,
        priority: Int,
        forwardingTo group: ResourceARN,
        tags: Tags,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> ListenerRule {
        var parameters = FormParameters()
        parameters.add("ListenerArn", listener.rawValue)
        parameters.add("Priority", priority)
        parameters.add(host: host, group: group)
        parameters.add("Tags", tags, prefix: "member.")
        return try await self.client.form(.createRule, parameters, deadline: deadline) {
            node throws(MalformedAnswer) in try node.firstRule()
        }
    }

    /// Gives a rule another host and target group; its priority stays.
    package func modifyRule(
        _ id: ResourceARN,
        host: String,
        forwardingTo group: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> ListenerRule {
        var parameters = FormParameters()
        parameters.add("RuleArn", id.rawValue)
        parameters.add(host: host, group: group)
        return try await self.client.form(.modifyRule, parameters, deadline: deadline) {
            node throws(MalformedAnswer) in try node.firstRule()
        }
    }

    /// Deletes the rule; false if it was gone already.
    @discardableResult
    package func deleteRule(
        _ id: ResourceARN,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> Bool {
        var parameters = FormParameters()
        parameters.add("RuleArn", id.rawValue)
        let done: Void? = try await self.client.unlessAbsent(["RuleNotFound"]) { () throws(AWSError) in
            try await self.client.form(.deleteRule, parameters, deadline: deadline)
        }
        return done != nil
    }
}

extension FormParameters {
    fileprivate mutating func add(host: String, group: ResourceARN) {
        self.add("Conditions.member.1.Field", "host-header")
        self.add("Conditions.member.1.HostHeaderConfig.Values", [host], prefix: "member.")
        self.add("Actions.member.1.Type", "forward")
        self.add("Actions.member.1.TargetGroupArn", group.rawValue)
    }
}

extension XMLNode {
    fileprivate func firstRule() throws(MalformedAnswer) -> ListenerRule {
        guard let node = self.list("Rules").first else { throw MalformedAnswer("no rule in Rules") }
        return try ListenerRule(node)
    }
}

extension AWSOperation {
    fileprivate static let describeRules = AWSOperation(
        .elasticLoadBalancing,
        "DescribeRules",
        .read,
        rate: .loadBalancerDescribe
    )
    fileprivate static let createRule = AWSOperation(
        .elasticLoadBalancing,
        "CreateRule",
        .write,
        rate: .loadBalancerModify
    )
    fileprivate static let modifyRule = AWSOperation(
        .elasticLoadBalancing,
        "ModifyRule",
        .idempotentWrite,
        rate: .loadBalancerModify
    )
    fileprivate static let deleteRule = AWSOperation(
        .elasticLoadBalancing,
        "DeleteRule",
        .idempotentWrite,
        rate: .loadBalancerModify
    )
}
