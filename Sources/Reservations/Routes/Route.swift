import AWS
import Jobs

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

    private static let managers: Set<String> = ["gpu-dev-worker", "gpu-dev-lambda"]
    private static let priorities = 1...50_000
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

    /// The rule that sends the host name to `group`; throws a `Refusal` if another owner's rule has the host name.
    func rule(forwardingTo group: ResourceARN) async throws -> ResourceARN {
        for _ in 0..<Self.triesForPriority {
            let rules = try await self.loadBalancing.describeRules(
                of: self.settings.listenerARN,
                deadline: self.deadline
            )
            if let rule = rules.first(where: { $0.hostNames.contains(self.host) }) {
                return try await self.adopt(rule, forwardingTo: group)
            }
            guard let priority = self.freePriority(among: rules) else {
                throw Refusal("no-free-priority", "the listener has a rule for each of its 50,000 priorities")
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
        [
            "Name": "jupyter-\(self.payload.host)", "ManagedBy": "gpu-dev-worker",
            "ReservationId": self.reservation, "PodName": self.payload.pod.description,
            EC2Client.operationTag: self.operation,
        ]
    }

    private var ruleTags: Tags {
        [
            "Name": "jupyter-\(self.payload.host)", "ManagedBy": "gpu-dev-worker",
            "Subdomain": self.payload.host.description, "ReservationId": self.reservation,
            EC2Client.operationTag: self.operation,
        ]
    }

    /// The second name is for reservations whose ids begin alike.
    private var targetGroupNames: [String] {
        let start = self.reservation.prefix(8).filter { $0.isLetter || $0.isNumber || $0 == "-" }
        let hash = String(StableHash(self.reservation).value, radix: 16).suffix(12)
        return ["jupyter-\(start)", "jupyter-\(start)-\(hash)"].map { name in
            String(name.reversed().drop { $0 == "-" }.reversed())
        }
    }

    private func findOrCreateTargetGroup() async throws -> ResourceARN {
        for name in self.targetGroupNames {
            guard let group = try await self.findTargetGroup(named: name) else {
                return try await self.createTargetGroup(named: name)
            }
            let tags = try await self.loadBalancing.describeTags(of: [group.id], deadline: self.deadline)
            guard tags[group.id]?["ReservationId"] == self.reservation else { continue }
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
        throw Refusal(
            "foreign-target-group",
            "the names \(self.targetGroupNames) are other reservations' target groups"
        )
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

    private func adopt(_ rule: ListenerRule, forwardingTo group: ResourceARN) async throws -> ResourceARN {
        let tags =
            try await self.loadBalancing.describeTags(of: [rule.id], deadline: self.deadline)[rule.id] ?? [:]
        let isOurs =
            tags["ReservationId"].map { $0 == self.reservation }
            ?? (tags["Subdomain"] == self.payload.host.description)
        guard isOurs, Self.managers.contains(tags["ManagedBy"] ?? "") else {
            throw Refusal(
                "foreign-rule",
                "rule \(rule.id) has the host name \(self.host) and is not this reservation's"
            )
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

    /// The next free one from a start that is different for each reservation, so that they seldom meet.
    private func freePriority(among rules: [ListenerRule]) -> Int? {
        let taken = Set(rules.compactMap(\.priority))
        let count = Self.priorities.count
        let start = Int(StableHash(self.reservation).value % UInt64(count))
        return (0..<count).lazy.map { (start + $0) % count + 1 }.first { !taken.contains($0) }
    }
}
