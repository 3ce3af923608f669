import EventLoops
import Testing

@Suite struct EventLoopTests {
    private let loop = EventLoop(name: "test")

    @Test func `a task that prefers the loop and an actor on it stay on its thread`() async {
        let counter = Counter(loop: self.loop)
        let loop = self.loop
        let task = Task(executorPreference: loop) {
            let before = loop.remoteEnqueues
            for _ in 0..<1_000 {
                #expect(loop.isCurrent)
                await counter.increment()
                await Task.yield()
            }
            return loop.remoteEnqueues - before
        }
        #expect(await task.value == 0)
        #expect(await counter.value == 1_000)
    }

    @Test func `timers fire in the order of their deadlines, cancelled ones never`() async {
        let record = Record(loop: self.loop)
        #expect(await record.fire([30, 10, 20], cancelling: [20]) == [10, 30])
    }

    @Test func `a cancelled sleep ends at once`() async throws {
        let loop = self.loop
        let task = Task(executorPreference: loop) { try await loop.sleep(for: .seconds(3_600)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `a sleep lasts at least as long as asked`() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        try await self.loop.sleep(for: .milliseconds(20))
        #expect(clock.now - start >= .milliseconds(20))
    }

    @Test func `turn-end actions run once, after the jobs of the turn`() async {
        let record = Record(loop: self.loop)
        #expect(await record.turnEndOrder() == [1, 2, 3])
    }
}

private actor Counter {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
    private(set) var value = 0

    init(loop: EventLoop) { self.loop = loop }

    func increment() {
        #expect(self.loop.isCurrent)
        self.value += 1
    }
}

private actor Record {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
    private var values: [Int] = []

    init(loop: EventLoop) { self.loop = loop }

    func fire(_ milliseconds: [Int], cancelling cancelled: Set<Int>) async -> [Int] {
        for delay in milliseconds {
            let timer = self.loop.after(.milliseconds(delay)) {
                self.assumeIsolated { $0.values.append(delay) }
            }
            if cancelled.contains(delay) { timer.cancel() }
        }
        try? await self.loop.sleep(for: .milliseconds((milliseconds.max() ?? 0) + 1))
        return self.values
    }

    func turnEndOrder() async -> [Int] {
        self.loop.atTurnEnd { self.assumeIsolated { $0.values.append(2) } }
        self.values.append(1)
        try? await self.loop.sleep(for: .milliseconds(1))
        self.values.append(3)
        return self.values
    }
}
