import Foundation
import Testing
import Worlds

@Suite struct WorldsTests {
    @Test(arguments: Example.all) func `a world that broke a rule keeps it`(example: Example) async throws {
        if let broken = try await example.violation() { Issue.record("\(broken)") }
    }

    @Test func `no world of disks breaks a rule`() async throws {
        let worlds = Worlds()
        let (broken, figures) = try await worlds.run()
        for world in broken { Issue.record("\(world)") }
        if worlds.isAskedFor { print(figures) }
    }

    @Test(arguments: 1...3) func `the model of EC2 answers as the server of the tests does`(seed: UInt64)
        async throws
    {
        var comparison = try ModelComparison(seed: seed)
        let differences = await comparison.differences(calls: 200)
        #expect(differences == [])
    }
}
