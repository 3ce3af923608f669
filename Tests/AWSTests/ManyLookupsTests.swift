import Synchronization
import Testing

@testable import AWS

@Suite struct ManyLookupsTests {
    /// An EC2 that knows some volumes, and fails a call about any other as EC2 does.
    private final class Server: Sendable {
        let known: Set<VolumeID>
        let complains: @Sendable ([VolumeID]) -> AWSError
        let calls = Mutex<[Int]>([])

        init(_ known: Set<VolumeID>, complains: @escaping @Sendable ([VolumeID]) -> AWSError) {
            (self.known, self.complains) = (known, complains)
        }

        func lookups(limit: Int = 500) -> ManyLookups<VolumeID, VolumeID> {
            ManyLookups(limit: limit, absence: "InvalidVolume.NotFound", id: { $0 }) {
                ids,
                _ async throws(AWSError) in
                self.calls.withLock { $0.append(ids.count) }
                let unknown = ids.filter { !self.known.contains($0) }
                guard unknown.isEmpty else { throw self.complains(unknown) }
                return ids
            }
        }
    }

    private static func absent(_ message: String) -> AWSError {
        AWSError(code: .notFound, operation: "x", message: message, awsCode: "InvalidVolume.NotFound")
    }

    private let known = (1...9).map { VolumeID(rawValue: "vol-\($0)") }

    private func found(_ outcomes: [VolumeID: Result<VolumeID?, AWSError>]) throws -> Set<VolumeID> {
        Set(try outcomes.values.compactMap { try $0.get() })
    }

    @Test func `an id that is named as unknown is dropped, and the others come with the second call`()
        async throws
    {
        let server = Server(Set(self.known)) { Self.absent("The volume '\($0[0])' does not exist.") }
        let outcomes = await server.lookups().outcomes(of: self.known + ["vol-x"], deadline: .inThirtySeconds)
        #expect(try self.found(outcomes) == Set(self.known))
        #expect(try outcomes["vol-x"]?.get() == .some(nil))
        #expect(server.calls.withLock { $0 } == [10, 9])
    }

    @Test func `one whose id begins like the unknown one is not taken for it`() async throws {
        let server = Server(["vol-1"]) { Self.absent("The volume '\($0[0])' does not exist.") }
        let outcomes = await server.lookups().outcomes(of: ["vol-1", "vol-12"], deadline: .inThirtySeconds)
        #expect(try self.found(outcomes) == ["vol-1"])
    }

    @Test(arguments: ["Some do not exist.", "One of vol-1, vol-2, vol-3, vol-x."])
    func `where the message does not help, halves find the unknown one`(message: String) async throws {
        let server = Server(Set(self.known)) { _ in Self.absent(message) }
        let ids: [VolumeID] = ["vol-1", "vol-2", "vol-3", "vol-x"]
        let outcomes = await server.lookups().outcomes(of: ids, deadline: .inThirtySeconds)
        #expect(try self.found(outcomes) == ["vol-1", "vol-2", "vol-3"])
        #expect(server.calls.withLock { $0 } == [4, 2, 2, 1, 1])
    }

    @Test func `an id that is malformed is an error of its own`() async throws {
        let server = Server(Set(self.known)) {
            AWSError(code: .invalid, operation: "x", message: "Invalid id: \"\($0[0])\"")
        }
        let outcomes = await server.lookups().outcomes(of: self.known + ["vol-x"], deadline: .inThirtySeconds)
        #expect(throws: AWSError.self) { try outcomes["vol-x"]?.get() }
        #expect(try self.known.allSatisfy { try outcomes[$0]?.get() == $0 })
    }

    @Test func `a failure that is about no id is everybody's, and nothing is absent for it`() async throws {
        let server = Server([]) { _ in AWSError(code: .throttled, operation: "x", message: "vol-1") }
        let outcomes = await server.lookups().outcomes(of: ["vol-1", "vol-2"], deadline: .inThirtySeconds)
        #expect(outcomes.count == 2)
        for outcome in outcomes.values { #expect(throws: AWSError.self) { try outcome.get() } }
        #expect(server.calls.withLock { $0 } == [2])
    }

    @Test func `no call asks for more than AWS takes`() async throws {
        let server = Server(Set(self.known)) { Self.absent("\($0[0])") }
        let outcomes = await server.lookups(limit: 4).outcomes(of: self.known, deadline: .inThirtySeconds)
        #expect(try self.found(outcomes) == Set(self.known))
        #expect(server.calls.withLock { $0 } == [4, 4, 1])
    }
}
