import AWS
import HTTPPeers
import Testing

@Suite(.timeLimit(.minutes(1))) struct BatchedCallsTests {
    @Test func `look-ups that meet a slow one share a call, and an unknown volume costs nobody theirs`()
        async throws
    {
        var slow = Faults.volumes(["vol-1"])
        slow.delay = 0.5
        let unknown = Faults.ec2Error("InvalidVolume.NotFound", "The volume 'vol-3' does not exist.")
        let faults = try await Faults([slow, unknown, Faults.volumes(["vol-2", "vol-4"])])
        let ec2 = EC2Client(faults.client)
        let found = try await withThrowingTaskGroup(of: VolumeID?.self) { group in
            group.addTask { try await ec2.volume("vol-1")?.id }
            while try await faults.peer.received().isEmpty { await Task.yield() }
            for id: VolumeID in ["vol-2", "vol-3", "vol-4"] {
                group.addTask { try await ec2.volume(id)?.id }
            }
            return try await group.reduce(into: []) { $0.append($1?.rawValue ?? "none") }.sorted()
        }
        #expect(found == ["none", "vol-1", "vol-2", "vol-4"])
        #expect(try await faults.peer.received().count == 3)
    }

    @Test func `many look-ups at once all come back with their own`() async throws {
        let ec2 = EC2Client(try TestAWS.client())
        let settings = VolumeSettings(availabilityZone: "eu-west-1a", size: 1)
        var ids: [VolumeID] = ["vol-0123456789abcdef0"]
        for _ in 1...5 {
            ids.append(try await ec2.createVolume(settings, operation: TestAWS.uniqueName(), tags: [:]).id)
        }
        let wanted = (0..<60).map { ids[$0 % ids.count] }
        let areRight = try await withThrowingTaskGroup(of: Bool.self) { group in
            for id in wanted {
                group.addTask { try await ec2.volume(id)?.id == (id == wanted[0] ? nil : id) }
            }
            return try await group.allSatisfy { $0 }
        }
        #expect(areRight)
    }
}
