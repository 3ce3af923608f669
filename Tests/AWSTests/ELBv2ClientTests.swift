import AWS
import Foundation
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(5))) struct ELBv2ClientTests {
    private func elb() throws -> ELBv2Client { ELBv2Client(try TestAWS.client()) }

    private func vpc() async throws -> String {
        try #require(await TestAWS.boto("ec2", "describe_vpcs", [:])["Vpcs"]?[0]?["VpcId"]?.text)
    }

    private func name() -> String { "gpudev-" + TestAWS.uniqueName().prefix(12) }

    /// A listener of a new load balancer, made by boto3.
    private func listener(default group: ResourceARN) async throws -> ResourceARN {
        let subnets = try await TestAWS.boto("ec2", "describe_subnets", [:])["Subnets"]?.elements.prefix(2)
        let subnetIDs = (subnets ?? []).compactMap { $0["SubnetId"] }
        let balancer = try await TestAWS.boto(
            "elbv2",
            "create_load_balancer",
            ["Name": .string(self.name()), "Subnets": .array(subnetIDs)]
        )
        let listener = try await TestAWS.boto(
            "elbv2",
            "create_listener",
            [
                "LoadBalancerArn": try #require(balancer["LoadBalancers"]?[0]?["LoadBalancerArn"]),
                "Protocol": "HTTP", "Port": 80,
                "DefaultActions": [["Type": "forward", "TargetGroupArn": .string(group.rawValue)]],
            ]
        )
        return ResourceARN(rawValue: try #require(listener["Listeners"]?[0]?["ListenerArn"]?.text))
    }

    @Test func `a target group comes back by name with its settings and tags`() async throws {
        let elb = try self.elb()
        let check = HealthCheck(path: "/api?x=1&y", interval: .seconds(20), matcher: "200,302")
        let settings = TargetGroupSettings(
            name: self.name(),
            port: 30123,
            vpcID: try await self.vpc(),
            healthCheck: check
        )
        let made = try await elb.createTargetGroup(
            settings,
            tags: ["ReservationId": "r-1", "ManagedBy": "gpu"]
        )
        let found = try #require(try await elb.targetGroup(named: settings.name))
        #expect(found.id == made.id)
        #expect(found.port == 30123 && found.protocolName == "HTTP" && found.targetType == "instance")
        #expect(found.healthCheck == check)
        #expect(
            try await elb.describeTags(of: [made.id]) == [
                made.id: ["ReservationId": "r-1", "ManagedBy": "gpu"]
            ]
        )
        let seen = try await TestAWS.boto(
            "elbv2",
            "describe_target_groups",
            ["Names": [.string(settings.name)]]
        )
        #expect(seen["TargetGroups"]?[0]?["HealthCheckPath"]?.text == "/api?x=1&y")
        #expect(seen["TargetGroups"]?[0]?["Matcher"]?["HttpCode"]?.text == "200,302")
    }

    @Test func `an absent target group is nil, and deleting it is done already`() async throws {
        let elb = try self.elb()
        #expect(try await elb.targetGroup(named: "no-such-group") == nil)
        let group = try await elb.createTargetGroup(
            TargetGroupSettings(name: self.name(), port: 80, vpcID: try await self.vpc()),
            tags: [:]
        )
        #expect(try await elb.deleteTargetGroup(group.id))
        #expect(try await elb.targetGroup(group.id) == nil)
        try await elb.deleteTargetGroup(group.id)
    }

    @Test func `targets are registered and taken out, and the health check changes`() async throws {
        let elb = try self.elb()
        let group = try await elb.createTargetGroup(
            TargetGroupSettings(name: self.name(), port: 8888, vpcID: try await self.vpc()),
            tags: [:]
        )
        let image = try await TestAWS.boto("ec2", "describe_images", ["MaxResults": 5])["Images"]?[0]?[
            "ImageId"
        ]
        let run = try await TestAWS.boto(
            "ec2",
            "run_instances",
            ["ImageId": image ?? "ami-12345678", "MinCount": 1, "MaxCount": 1]
        )
        let instance = InstanceID(rawValue: try #require(run["Instances"]?[0]?["InstanceId"]?.text))
        let target = LoadBalancerTarget(instanceID: instance, port: 30999)
        try await elb.registerTargets([target], in: group.id)
        #expect(
            try await elb.describeTargetHealth(of: group.id).filter(\.isRegistered).map(\.target) == [target]
        )
        try await elb.deregisterTargets([target], from: group.id)
        #expect(try await elb.describeTargetHealth(of: group.id).filter(\.isRegistered).isEmpty)
        let check = HealthCheck(path: "/health", interval: .seconds(10), matcher: "200")
        try await elb.modifyTargetGroup(group.id, healthCheck: check)
        #expect(try await elb.targetGroup(group.id)?.healthCheck == check)
    }

    @Test func `rules are made, listed, changed and deleted`() async throws {
        let elb = try self.elb()
        let vpc = try await self.vpc()
        let groups = try await [
            elb.createTargetGroup(TargetGroupSettings(name: self.name(), port: 1, vpcID: vpc), tags: [:]),
            elb.createTargetGroup(TargetGroupSettings(name: self.name(), port: 2, vpcID: vpc), tags: [:]),
        ]
        let listener = try await self.listener(default: groups[0].id)
        let rule = try await elb.createRule(
            for: "brave-otter.example.org",
            on: listener,
            priority: 17,
            forwardingTo: groups[0].id,
            tags: ["ReservationId": "r-9"]
        )
        #expect(rule.hostNames == ["brave-otter.example.org"] && rule.priority == 17 && !rule.isDefault)
        #expect(try await elb.describeTags(of: [rule.id])[rule.id] == ["ReservationId": "r-9"])
        let taken = await #expect(throws: AWSError.self) {
            try await elb.createRule(
                for: "other.example.org",
                on: listener,
                priority: 17,
                forwardingTo: groups[0].id,
                tags: [:]
            )
        }
        #expect(taken?.awsCode == "PriorityInUse")
        let changed = try await elb.modifyRule(
            rule.id,
            host: "calm-otter.example.org",
            forwardingTo: groups[1].id
        )
        #expect(changed.hostNames == ["calm-otter.example.org"] && changed.targetGroups == [groups[1].id])
        let rules = try await elb.describeRules(of: listener)
        #expect(rules.count == 2)
        #expect(rules.filter(\.isDefault).map(\.targetGroups) == [[groups[0].id]])
        let inUse = await #expect(throws: AWSError.self) { try await elb.deleteTargetGroup(groups[1].id) }
        #expect(inUse?.awsCode == "ResourceInUse" && inUse?.isRetryable == true)
        #expect(try await elb.deleteRule(rule.id))
        try await elb.deleteRule(rule.id)
        #expect(try await elb.deleteTargetGroup(groups[1].id))
    }

    @Test func `all pages of rules come`() async throws {
        let elb = try self.elb()
        let group = try await elb.createTargetGroup(
            TargetGroupSettings(name: self.name(), port: 1, vpcID: try await self.vpc()),
            tags: [:]
        )
        let listener = try await self.listener(default: group.id)
        for priority in 1...12 {
            _ = try await elb.createRule(
                for: "host-\(priority).example.org",
                on: listener,
                priority: priority,
                forwardingTo: group.id,
                tags: [:]
            )
        }
        let rules = try await elb.describeRules(of: listener)
        #expect(rules.compactMap(\.priority).sorted() == Array(1...12))
    }
}
