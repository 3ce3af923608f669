import AWS
import Testing

@Suite(.timeLimit(.minutes(5))) struct BatchedCallsTests {
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
