import AWS
import Jobs
import Platform

/// The target group and the listener rule of one reservation in AWS.
///
/// Both are looked for before they are made. What carries the tags of this reservation is adopted and put right, what
/// belongs to another is left alone.
struct Route: Sendable {
    private let loadBalancing: ELBv2Client
    private let settings: RouteSettings
    private let payload: CreateTargetGroup.Payload
    private let operation: String
    private let deadline: ContinuousClock.Instant

    private static let triesForPriority = 10

    init(loadBalancing: ELBv2Client, settings: RouteSettings, job: Job<CreateTargetGroup.Payload>) {
        self.loadBalancing = loadBalancing
        self.settings = settings
        self.payload = job.payload
        self.operation = job.id.description
        self.deadline = job.context.deadline
    }

    /// The reservation's target group, with the pod's node as its only target.
    ///
    /// Targets are registered with their own port, so the port of a group that is adopted does not matter.
    func targetGroup() async throws -> ResourceARN {
        let group = try await self.findOrCreateTargetGroup()
        try await self.loadBalancing.registerTargets(
            [self.payload.target],
            in: group,
            deadline: self.deadline
        )
        let others = try await self.loadBalancing.describeTargetHealth(of: group, deadline: self.deadline)
            .filter { $0.isRegistered && $0.target != self.payload.target }
        try await self.loadBalancing.deregisterTargets(
            others.map(\.target),
            from: group,
            deadline: self.deadline
        )
        return group
    }

    /// The rule that sends the host name to `group`; the job is rejected if another owner's rule has the host name.
    func rule(forwardingTo group: ResourceARN) async throws -> ResourceARN {
        for _ in 0..<Self.triesForPriority {
            let rules = try await self.loadBalancing.describeRules(
                of: self.settings.listenerARN,
                deadline: self.deadline
            )
            if let rule = rules.first(where: { $0.hostNames.contains(self.host) }) {
                guard let adopted = try await self.adopt(rule, forwardingTo: group) else { continue }
                return adopted
            }
            let priorities = RulePriorities(self.payload.reservation)
            guard let priority = priorities.firstFree(besides: rules.compactMap(\.priority)) else {
                let message = "the listener has a rule for each of its 50,000 priorities"
                throw Conclusion.rejected(Reason("no-free-priority", message))
            }
            if let rule = try await self.createRule(priority, forwardingTo: group) { return rule }
        }
        throw PriorityContention()
    }
}

extension Route {
    private var host: String { "\(self.payload.host).\(self.settings.domainName)" }
    private var reservation: String { self.payload.reservation.description }

    private var targetGroupTags: Tags {
        let start = self.payload.reservation.description.prefix(8)
        return self.commonTags.merging([
            RouteTag.name: "jupyter-\(start)", RouteTag.pod: self.payload.pod.description,
        ]) { $1 }
    }

    private var ruleTags: Tags {
        self.commonTags.merging([
            RouteTag.name: "jupyter-\(self.payload.host)", RouteTag.host: self.payload.host.description,
        ]) { $1 }
    }

    private var commonTags: Tags {
        [
            RouteTag.manager: RouteTag.managers[0], RouteTag.reservation: self.reservation,
            EC2Client.operationTag: self.operation,
        ]
    }

    private func findOrCreateTargetGroup() async throws -> ResourceARN {
        let names = TargetGroupNames(self.payload.reservation)
        for name in names {
            guard let group = try await self.findTargetGroup(named: name) else {
                return try await self.createTargetGroup(named: name)
            }
            let tags = try await self.loadBalancing.describeTags(of: [group.id], deadline: self.deadline)
            guard tags[group.id]?[RouteTag.reservation] == self.reservation else { continue }
            guard group.vpcID == self.settings.vpcID, group.protocolName == "HTTP" else { continue }
            if group.healthCheck != HealthCheck() {
                try await self.loadBalancing.modifyTargetGroup(
                    group.id,
                    healthCheck: HealthCheck(),
                    deadline: self.deadline
                )
            }
            return group.id
        }
        let message = "the names \(names.joined(separator: " and ")) are other reservations' target groups"
        throw Conclusion.rejected(Reason("foreign-target-group", message))
    }

    private func findTargetGroup(named name: String) async throws -> TargetGroup? {
        try await self.loadBalancing.targetGroup(named: name, deadline: self.deadline)
    }

    /// A group that is there after all was made by a call whose answer was lost.
    private func createTargetGroup(named name: String) async throws -> ResourceARN {
        let settings = TargetGroupSettings(
            name: name,
            port: self.payload.target.port,
            vpcID: self.settings.vpcID
        )
        do {
            return try await self.loadBalancing.createTargetGroup(
                settings,
                tags: self.targetGroupTags,
                deadline: self.deadline
            ).id
        } catch  where error.awsCode == "DuplicateTargetGroupName" {
            guard try await self.findTargetGroup(named: name) != nil else { throw error }
            return try await self.findOrCreateTargetGroup()
        }
    }

    /// Nil if the rule is gone again.
    private func adopt(_ rule: ListenerRule, forwardingTo group: ResourceARN) async throws -> ResourceARN? {
        let described = try await self.loadBalancing.describeTags(of: [rule.id], deadline: self.deadline)
        guard let tags = described[rule.id] else { return nil }
        let isOurs =
            tags[RouteTag.reservation].map { $0 == self.reservation }
            ?? (tags[RouteTag.host] == self.payload.host.description)
        guard isOurs, tags.areOfThePlatform else {
            let message = "rule \(rule.id) has the host name \(self.host) and is not this reservation's"
            throw Conclusion.rejected(Reason("foreign-rule", message))
        }
        guard rule.targetGroups != [group] else { return rule.id }
        return try await self.loadBalancing.modifyRule(
            rule.id,
            host: self.host,
            forwardingTo: group,
            deadline: self.deadline
        ).id
    }

    /// Nil if somebody has taken the priority meanwhile.
    private func createRule(_ priority: Int, forwardingTo group: ResourceARN) async throws -> ResourceARN? {
        do {
            return try await self.loadBalancing.createRule(
                for: self.host,
                on: self.settings.listenerARN,
                priority: priority,
                forwardingTo: group,
                tags: self.ruleTags,
                deadline: self.deadline
            ).id
        } catch {
            guard error.awsCode == "PriorityInUse" else { throw error }
            return nil
        }
    }
}
