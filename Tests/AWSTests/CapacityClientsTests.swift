import AWS
import Foundation
import HTTPPeers
import Logging
import Testing

@Suite(.timeLimit(.minutes(5))) struct CapacityClientsTests {
    @Test func `scaling groups are found by tag, with their sizes and machines`() async throws {
        let name = TestAWS.uniqueName()
        let image = try await TestAWS.boto("ec2", "describe_images", ["MaxResults": 5])["Images"]?[0]?[
            "ImageId"
        ]
        _ = try await TestAWS.boto(
            "autoscaling",
            "create_launch_configuration",
            [
                "LaunchConfigurationName": .string(name), "ImageId": image ?? "ami-12345678",
                "InstanceType": "t3.micro",
            ]
        )
        _ = try await TestAWS.boto(
            "autoscaling",
            "create_auto_scaling_group",
            [
                "AutoScalingGroupName": .string(name), "LaunchConfigurationName": .string(name), "MinSize": 0,
                "MaxSize": 5, "DesiredCapacity": 2, "AvailabilityZones": ["eu-west-1a"],
                "Tags": [["Key": "GpuType", "Value": .string(name), "PropagateAtLaunch": .bool(true)]],
            ]
        )
        let groups = try await AutoScalingClient(TestAWS.client()).describeGroups(matching: [
            .tag("GpuType", name)
        ])
        let group = try #require(groups.first)
        #expect(groups.count == 1 && group.name == name && group.tags["GpuType"] == name)
        #expect(group.minimumSize == 0 && group.maximumSize == 5 && group.desiredCapacity == 2)
        #expect(group.members.map(\.lifecycleState) == ["InService", "InService"])
    }

    @Test func `a cluster is described, an absent one is not found`() async throws {
        let eks = EKSClient(try TestAWS.client())
        let name = "c-" + TestAWS.uniqueName()
        let made = try await TestAWS.boto(
            "eks",
            "create_cluster",
            [
                "name": .string(name), "roleArn": "arn:aws:iam::123456789012:role/eks",
                "resourcesVpcConfig": ["subnetIds": []],
            ]
        )
        let cluster = try await eks.describeCluster(name)
        #expect(cluster.name == name && cluster.endpoint == made["cluster"]?["endpoint"]?.text)
        let error = await #expect(throws: AWSError.self) { try await eks.describeCluster("absent") }
        #expect(error?.code == .notFound && error?.awsCode == "ResourceNotFoundException")
    }

    @Test func `a token for a cluster is a presigned question who we are`() async throws {
        let (token, renewal) = try await STSClient(TestAWS.client()).eksToken(cluster: "c1")
        #expect(token.hasPrefix("k8s-aws-v1."))
        var base64 = token.dropFirst(11).replacing("-", with: "+").replacing("_", with: "/")
        while base64.count % 4 != 0 { base64 += "=" }
        let url = String(decoding: try #require(Data(base64Encoded: String(base64))), as: UTF8.self)
        let names = (url.split(separator: "?").last ?? "").split(separator: "&").map {
            $0.prefix { $0 != "=" }
        }
        #expect(
            Set(names) == [
                "Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                "X-Amz-SignedHeaders", "X-Amz-Signature",
            ]
        )
        #expect(url.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"))
        #expect(abs(renewal.timeIntervalSinceNow - 840) < 5)
    }

    @Test func `a token ends with the credentials that signed it`() async throws {
        let client = AWSClient(
            configuration: try AWSConfiguration { ["AWS_REGION": "eu-west-1"][$0] },
            http: TestAWS.http,
            logger: Logger(label: "test"),
            credentials: CountingCredentials([700])
        )
        let renewal = try await STSClient(client).eksToken(cluster: "c1").renewal
        #expect(abs(renewal.timeIntervalSinceNow - 640) < 5)
    }
}
