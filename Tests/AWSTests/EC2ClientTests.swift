import AWS
import Foundation
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(5))) struct EC2ClientTests {
    private func ec2() throws -> EC2Client { EC2Client(try TestAWS.client()) }

    private let settings = VolumeSettings(availabilityZone: "eu-west-1a", size: 10)

    @Test func `a volume made twice for one operation is one volume, with tags that boto3 reads back`()
        async throws
    {
        let ec2 = try self.ec2()
        let operation = TestAWS.uniqueName()
        let tags: Tags = ["disk_name": "häuser & <höfe> * ? \\", "gpu-dev-user": "alice"]
        let first = try await ec2.createVolume(self.settings, operation: operation, tags: tags)
        let second = try await ec2.createVolume(self.settings, operation: operation, tags: tags)
        #expect(first.id == second.id)
        let seen = try await TestAWS.boto(
            "ec2",
            "describe_volumes",
            ["VolumeIds": [.string(first.id.rawValue)]]
        )
        let volume = try #require(seen["Volumes"]?[0])
        #expect(volume["Size"]?.number == 10)
        #expect(volume["VolumeType"]?.text == "gp3")
        let seenTags = volume["Tags"]?.elements ?? []
        #expect(seenTags.contains(["Key": "disk_name", "Value": "häuser & <höfe> * ? \\"]))
        #expect(seenTags.contains(["Key": "gpu-dev-operation", "Value": .string(operation)]))
        #expect(second.tags == tags.merging(["gpu-dev-operation": operation]) { $1 })
    }

    @Test func `an unknown volume is nil, alone and among others`() async throws {
        let ec2 = try self.ec2()
        let volume = try await ec2.createVolume(self.settings, operation: TestAWS.uniqueName(), tags: [:])
        #expect(try await ec2.volume("vol-0123456789abcdef0") == nil)
        #expect(try await ec2.volume(volume.id)?.state == .available)
        let found = try await ec2.describeVolumes(ids: ["vol-0123456789abcdef0", volume.id])
        #expect(found.map(\.id) == [volume.id])
    }

    @Test func `a filter finds its value literally`() async throws {
        let ec2 = try self.ec2()
        let name = TestAWS.uniqueName()
        let plain = try await ec2.createVolume(
            self.settings,
            operation: "\(name)-1",
            tags: ["mark": "\(name)ab"]
        )
        _ = try await ec2.createVolume(self.settings, operation: "\(name)-2", tags: ["mark": "\(name)ac"])
        let found = try await ec2.describeVolumes(matching: [.tag("mark", "\(name)ab"), .status("available")])
        #expect(found.map(\.id) == [plain.id])
        #expect(try await ec2.describeVolumes(matching: [.tag("mark", "\(name)a*")]).isEmpty)
    }

    @Test func `a snapshot taken twice for one operation is one snapshot`() async throws {
        let ec2 = try self.ec2()
        let operation = TestAWS.uniqueName()
        let volume = try await ec2.createVolume(self.settings, operation: operation, tags: [:])
        let first = try await ec2.createSnapshot(
            of: volume.id,
            description: "first & last",
            operation: operation,
            tags: ["SnapshotType": "shutdown"]
        )
        let second = try await ec2.createSnapshot(
            of: volume.id,
            description: "again",
            operation: operation,
            tags: [:]
        )
        #expect(first.id == second.id)
        #expect(second.description == "first & last")
        #expect(second.volumeID == volume.id)
        #expect(second.tags["SnapshotType"] == "shutdown")
        #expect(abs(second.startTime.timeIntervalSinceNow) < 600)
        let restored = try await ec2.createVolume(
            VolumeSettings(availabilityZone: "eu-west-1a", size: 10, snapshotID: first.id),
            operation: TestAWS.uniqueName(),
            tags: [:]
        )
        #expect(restored.snapshotID == first.id)
    }

    @Test func `tags are set and removed`() async throws {
        let ec2 = try self.ec2()
        let volume = try await ec2.createVolume(self.settings, operation: TestAWS.uniqueName(), tags: [:])
        try await ec2.createTags(["delete-date": "2030-01-01", "b": ""], on: [volume.id])
        #expect(try await ec2.volume(volume.id)?.tags["delete-date"] == "2030-01-01")
        try await ec2.deleteTags(["delete-date", "never-there"], from: [volume.id])
        #expect(try await ec2.volume(volume.id)?.tags["delete-date"] == nil)
        #expect(try await ec2.volume(volume.id)?.tags["b"] == "")
    }

    @Test func `deleting what is gone is done already`() async throws {
        let ec2 = try self.ec2()
        let volume = try await ec2.createVolume(self.settings, operation: TestAWS.uniqueName(), tags: [:])
        let snapshot = try await ec2.createSnapshot(
            of: volume.id,
            description: "",
            operation: TestAWS.uniqueName(),
            tags: [:]
        )
        #expect(try await ec2.deleteVolume(volume.id))
        #expect(try await !ec2.deleteVolume(volume.id))
        #expect(try await ec2.deleteSnapshot(snapshot.id))
        #expect(try await !ec2.deleteSnapshot(snapshot.id))
    }

    @Test func `an attached volume says so, and detaches`() async throws {
        let ec2 = try self.ec2()
        let image = try await TestAWS.boto("ec2", "describe_images", ["MaxResults": 5])["Images"]?[0]?[
            "ImageId"
        ]
        let run = try await TestAWS.boto(
            "ec2",
            "run_instances",
            ["ImageId": image ?? "ami-12345678", "MinCount": 1, "MaxCount": 1]
        )
        let instance = try #require(run["Instances"]?[0]?["InstanceId"])
        let volume = try await ec2.createVolume(self.settings, operation: TestAWS.uniqueName(), tags: [:])
        _ = try await TestAWS.boto(
            "ec2",
            "attach_volume",
            ["VolumeId": .string(volume.id.rawValue), "InstanceId": instance, "Device": "/dev/sdf"]
        )
        let attached = try #require(try await ec2.volume(volume.id))
        #expect(attached.isAttached && attached.state == .inUse)
        #expect(attached.attachments.map(\.instanceID.rawValue) == [instance.text])
        #expect(attached.attachments.map(\.device) == ["/dev/sdf"])
        #expect(try await ec2.instanceState(InstanceID(rawValue: instance.text ?? "")) == .running)
        let refused = await #expect(throws: AWSError.self) { try await ec2.deleteVolume(volume.id) }
        #expect(refused?.code == .conflict && refused?.isRetryable == true, "\(String(describing: refused))")
        try await ec2.detachVolume(volume.id)
        #expect(try await ec2.volume(volume.id)?.isAttached == false)
    }
}
