import AWS
import Jobs
import Logging
import Platform
import Postgres

/// Takes the route of a reservation away: its listener rules, its target groups, and then the row that claims them.
///
/// What is there is found by the row and by name, so that nothing stays that a lost row has forgotten; whose it is,
/// the tags say, read afresh. What is gone already is passed over.
struct RouteRemoval: Sendable {
    private let database: PostgresPool
    private let loadBalancing: ELBv2Client
    /// Nil where routes are not set up: then rules are known from the row alone.
    private let settings: RouteSettings?
    private let isDryRun: Bool
    private let deadline: ContinuousClock.Instant
    private let logger: Logger

    init(
        database: PostgresPool,
        loadBalancing: ELBv2Client,
        settings: RouteSettings?,
        isDryRun: Bool,
        context: JobContext,
    ) {
        self.database = database
        self.loadBalancing = loadBalancing
        self.settings = settings
        self.isDryRun = isDryRun
        self.deadline = context.deadline
        self.logger = context.logger
    }

    /// What was there of the reservation's, or would be removed but for a dry run.
    struct Removed: Sendable {
        let rule: ResourceARN?
        let group: ResourceARN?
        let writes: [Write]
    }

    /// How long to leave a load balancer that has not let go of a target group.
    private static let pause: Duration = .seconds(5)

    func remove(routeOf reservation: ReservationID) async throws -> Removed {
        let claim = try await RouteClaim.find(reservation, in: self.database)
        let groups = try await self.groups(of: reservation, claim)
        let rules = try await self.rules(of: reservation, claim, forwardingTo: groups)
        if !self.isDryRun {
            for rule in rules {
                self.logger.notice("a rule is being deleted", metadata: ["aws.resource": "\(rule)"])
                try await self.loadBalancing.deleteRule(rule, deadline: self.deadline)
            }
            for group in groups { try await self.delete(group) }
        }
        let isClaimed = claim != nil && !self.isDryRun
        return Removed(
            rule: rules.first ?? claim?.rule,
            group: groups.first ?? claim?.group,
            writes: isClaimed ? [RouteClaim.removal(of: reservation)] : []
        )
    }
}

extension RouteRemoval {
    /// Deletes the target group; the job comes back if the load balancer still holds it.
    private func delete(_ group: ResourceARN) async throws {
        self.logger.notice("a target group is being deleted", metadata: ["aws.resource": "\(group)"])
        do throws(AWSError) {
            try await self.loadBalancing.deleteTargetGroup(group, deadline: self.deadline)
        } catch {
            guard error.awsCode == "ResourceInUse" else { throw error }
            let message = "the load balancer has not let go of target group \(group) yet"
            throw Conclusion.snooze(Self.pause, Reason("ResourceInUse", message))
        }
    }

    private func groups(of reservation: ReservationID, _ claim: RouteClaim?) async throws -> [ResourceARN] {
        var found: [ResourceARN] = []
        if let id = claim?.group,
            let group = try await self.loadBalancing.targetGroup(id, deadline: self.deadline)
        {
            found.append(group.id)
        }
        for name in TargetGroupNames(reservation) {
            let group = try await self.loadBalancing.targetGroup(named: name, deadline: self.deadline)
            if let group, !found.contains(group.id) { found.append(group.id) }
        }
        let tags = try await self.loadBalancing.describeTags(of: found, deadline: self.deadline)
        return found.filter { tags[$0]?.areOf(reservation) ?? false }
    }

    /// The reservation's rules; older ones carry its host name only, and are known by the row or by where they lead.
    private func rules(
        of reservation: ReservationID,
        _ claim: RouteClaim?,
        forwardingTo groups: [ResourceARN],
    ) async throws -> [ResourceARN] {
        let host = claim.flatMap { claim in self.settings.map { "\(claim.host).\($0.domainName)" } }
        let listed = try await self.listedRules().filter { rule in
            rule.id == claim?.rule || rule.hostNames.contains { $0 == host }
                || rule.targetGroups.contains { groups.contains($0) }
        }
        let noted = claim?.rule.flatMap { id in listed.contains { $0.id == id } ? nil : id }
        let found = listed.map(\.id) + [noted].compactMap { $0 }
        let tags = try await self.loadBalancing.describeTags(of: found, deadline: self.deadline)
        let leading = listed.filter { rule in rule.targetGroups.contains { groups.contains($0) } }.map(\.id)
        return found.filter { id in
            guard let tags = tags[id], tags.areOfThePlatform else { return false }
            if let owner = tags[RouteTag.reservation] { return owner == reservation.description }
            if leading.contains(id) { return true }
            return claim.map { id == $0.rule || tags[RouteTag.host] == $0.host } ?? false
        }
    }

    private func listedRules() async throws(AWSError) -> [ListenerRule] {
        guard let settings = self.settings else { return [] }
        return try await self.loadBalancing.describeRules(of: settings.listenerARN, deadline: self.deadline)
            .filter { !$0.isDefault }
    }
}
