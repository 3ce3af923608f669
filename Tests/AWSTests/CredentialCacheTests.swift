import Foundation
import Logging
import Synchronization
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(5))) struct CredentialCacheTests {
    /// A clock that the test moves.
    private final class Clock: Sendable {
        let start = Date(timeIntervalSince1970: 1_700_000_000)
        private let offset = Mutex<TimeInterval>(0)
        var now: Date { self.offset.withLock { self.start.addingTimeInterval($0) } }
        func move(to offset: TimeInterval) { self.offset.withLock { $0 = offset } }
    }

    private let clock = Clock()

    private func cache(_ source: CountingCredentials) -> CredentialCache {
        CredentialCache(source, now: { [clock] in clock.now }, logger: Logger(label: "test"))
    }

    private func key(_ cache: CredentialCache) async throws -> String {
        try await cache.current(deadline: .in(.seconds(60))).accessKeyID
    }

    @Test func `many callers ask once`() async throws {
        let source = CountingCredentials([3600], start: self.clock.start)
        let cache = self.cache(source)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 1...50 { group.addTask { try await self.key(cache) } }
            for try await key in group { #expect(key == "AKID1") }
        }
        #expect(source.calls == 1)
    }

    @Test func `keys are renewed ahead of their end`() async throws {
        let source = CountingCredentials([3600, 7200], start: self.clock.start)
        let cache = self.cache(source)
        #expect(try await self.key(cache) == "AKID1")
        self.clock.move(to: 3600 - 901)
        #expect(try await self.key(cache) == "AKID1")
        self.clock.move(to: 3600 - 899)
        #expect(try await self.key(cache) == "AKID2")
        #expect(source.calls == 2)
    }

    @Test func `a renewal that fails keeps the old keys and is tried again later`() async throws {
        let source = CountingCredentials([3600, nil, nil, nil], start: self.clock.start)
        let cache = self.cache(source)
        _ = try await self.key(cache)
        self.clock.move(to: 3600 - 800)
        for _ in 1...3 { #expect(try await self.key(cache) == "AKID1") }
        #expect(source.calls == 2)
        self.clock.move(to: 3600 - 739)
        #expect(try await self.key(cache) == "AKID1")
        #expect(source.calls == 3)
        self.clock.move(to: 3600 - 599)
        #expect(try await self.key(cache) == "AKID1")
        self.clock.move(to: 3601)
        #expect(try await self.key(cache) == "AKID5")
    }

    @Test func `a failure is never the last word`() async throws {
        let source = CountingCredentials([nil, 3600], start: self.clock.start)
        let cache = self.cache(source)
        await #expect(throws: AWSError.self) { try await self.key(cache) }
        #expect(try await self.key(cache) == "AKID2")
    }

    @Test func `keys that AWS refuses are renewed, newer ones are not thrown away`() async throws {
        let source = CountingCredentials()
        let cache = self.cache(source)
        let first = try await cache.current(deadline: .in(.seconds(10)))
        cache.discard(first)
        #expect(try await self.key(cache) == "AKID2")
        cache.discard(first)
        #expect(try await self.key(cache) == "AKID2")
    }

    @Test func `waiting ends with the deadline and with the task, the renewal goes on`() async throws {
        let source = BlockedCredentials()
        let cache = CredentialCache(source, now: { Date() }, logger: Logger(label: "test"))
        let late = await #expect(throws: AWSError.self) {
            try await cache.current(deadline: .in(.milliseconds(20)))
        }
        #expect(late?.code == .deadlineExceeded)
        let task = Task { try await cache.current(deadline: .in(.seconds(30))) }
        task.cancel()
        #expect(await #expect(throws: AWSError.self) { try await task.value }?.code == .cancelled)
        source.open()
        #expect(try await cache.current(deadline: .in(.seconds(60))).accessKeyID == "AKID")
    }
}

/// Answers when it is opened.
private final class BlockedCredentials: CredentialProvider {
    private let isOpen = Mutex(false)

    func open() { self.isOpen.withLock { $0 = true } }

    func credentials(deadline: ContinuousClock.Instant) async -> CredentialAnswer {
        while !self.isOpen.withLock({ $0 }) { await Task.yield() }
        return .found(AWSCredentials(accessKeyID: "AKID", secretAccessKey: "s"))
    }
}
