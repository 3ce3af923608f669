import Synchronization
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(5))) struct SharedLookupsTests {
    typealias Lookups = SharedLookups<VolumeID, String>

    /// Answers each call when the test says so, and knows what was asked.
    private final class Server: Sendable {
        let asked: AsyncStream<[VolumeID]>
        private let asking: AsyncStream<[VolumeID]>.Continuation
        private let answered: AsyncStream<Void>
        private let answering: AsyncStream<Void>.Continuation

        init() {
            (self.asked, self.asking) = AsyncStream.makeStream()
            (self.answered, self.answering) = AsyncStream.makeStream()
        }

        func answer() { self.answering.yield() }

        func look(_ ids: [VolumeID]) async -> [VolumeID: Result<String?, AWSError>] {
            self.asking.yield(ids.sorted { $0.rawValue < $1.rawValue })
            var answers = self.answered.makeAsyncIterator()
            await answers.next()
            return Dictionary(uniqueKeysWithValues: ids.map { ($0, .success("volume \($0)")) })
        }
    }

    private func item(
        _ id: VolumeID,
        _ lookups: Lookups,
        _ server: Server,
        deadline: ContinuousClock.Instant = .inThirtySeconds
    ) async throws(AWSError) -> String? {
        try await lookups.item(id, deadline: deadline) { ids, _ in await server.look(ids) }
    }

    @Test func `one that comes alone goes alone and at once`() async throws {
        let (lookups, server) = (Lookups(of: "x") { .seconds(50) }, Server())
        for id: VolumeID in ["vol-1", "vol-2"] {
            server.answer()
            #expect(try await self.item(id, lookups, server) == "volume \(id)")
        }
        var calls = server.asked.makeAsyncIterator()
        #expect(await calls.next() == ["vol-1"])
        #expect(await calls.next() == ["vol-2"])
    }

    @Test func `those that come while one is under way go together when it ends`() async throws {
        let (lookups, server) = (Lookups(of: "x") { .seconds(50) }, Server())
        var calls = server.asked.makeAsyncIterator()
        async let first = self.item("vol-1", lookups, server)
        #expect(await calls.next() == ["vol-1"])
        let others = Task {
            try await withThrowingTaskGroup(of: String?.self) { group in
                for id: VolumeID in ["vol-2", "vol-3", "vol-2", "vol-1"] {
                    group.addTask { try await self.item(id, lookups, server) }
                }
                return try await group.reduce(into: []) { $0.append($1) }.compactMap { $0 }.sorted()
            }
        }
        while lookups.gatheredCount < 4 { await Task.yield() }
        server.answer()
        #expect(try await first == "volume vol-1")
        #expect(await calls.next() == ["vol-1", "vol-2", "vol-3"])
        server.answer()
        #expect(try await others.value == ["volume vol-1", "volume vol-2", "volume vol-2", "volume vol-3"])
    }

    @Test func `a call that takes long holds the next one up for the window only`() async throws {
        let (lookups, server) = (Lookups(of: "x") { .milliseconds(1) }, Server())
        var calls = server.asked.makeAsyncIterator()
        async let slow = self.item("vol-1", lookups, server)
        #expect(await calls.next() == ["vol-1"])
        async let other = self.item("vol-2", lookups, server)
        #expect(await calls.next() == ["vol-2"])
        server.answer()
        server.answer()
        #expect(try await (slow, other) == ("volume vol-1", "volume vol-2"))
    }

    @Test func `deadline and cancellation end the wait of one alone`() async throws {
        let (lookups, server) = (Lookups(of: "ec2.X") { .seconds(50) }, Server())
        var calls = server.asked.makeAsyncIterator()
        async let first = self.item("vol-1", lookups, server)
        #expect(await calls.next() == ["vol-1"])
        let hasty = await #expect(throws: AWSError.self) {
            _ = try await self.item("vol-2", lookups, server, deadline: .in(.milliseconds(1)))
        }
        #expect(hasty?.code == .deadlineExceeded && hasty?.operation == "ec2.X")
        let late = await #expect(throws: AWSError.self) {
            _ = try await self.item("vol-2", lookups, server, deadline: .now)
        }
        #expect(late?.code == .deadlineExceeded)
        let cancelled = Task { try await self.item("vol-3", lookups, server) }
        cancelled.cancel()
        let error = await #expect(throws: AWSError.self) { _ = try await cancelled.value }
        #expect(error?.code == .cancelled)
        async let patient = self.item("vol-4", lookups, server)
        while lookups.gatheredCount < 1 { await Task.yield() }
        server.answer()
        server.answer()
        #expect(try await (first, patient) == ("volume vol-1", "volume vol-4"))
        #expect(await calls.next() == ["vol-4"])
    }
}
