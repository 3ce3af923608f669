import Synchronization
import Testing

@testable import Calls

@Suite(.timeLimit(.minutes(1))) struct RetryLoopTests {
    private typealias Attempt = Result<Int, ExampleFailure>

    private static let transient = Attempt.failure(ExampleFailure(ExampleError(), mostAttempts: 4))

    /// The attempts of a call one after the other; those after the last are like it.
    private func run(
        _ attempts: [Attempt],
        before deadline: ContinuousClock.Instant = .now.advanced(by: .seconds(60)),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { _ in },
        remedy: (ExampleRemedy) -> Void = { _ in },
        mayRetry: (ExampleError) -> Bool = { _ in true },
        count: inout [Bool]
    ) async throws(ExampleError) -> Int {
        var policy = RetryPolicy(
            transient: Backoff(base: .milliseconds(100), cap: .seconds(20), jitter: 1...1)
        )
        policy.sleep = sleep
        var made: [Bool] = []
        defer { count = made }
        return try await RetryLoop(policy, until: deadline).run { isRetry in
            made.append(isRetry)
            return attempts[min(made.count, attempts.count) - 1]
        } remedy: {
            remedy($0)
        } mayRetry: {
            mayRetry($0)
        }
    }

    @Test func `a call is repeated until it succeeds, with pauses in between`() async throws {
        let pauses = Mutex<[Duration]>([])
        var retries: [Bool] = []
        let output = try await self.run(
            [Self.transient, Self.transient, .success(7)],
            sleep: { pause in pauses.withLock { $0.append(pause) } },
            count: &retries
        )
        #expect(output == 7 && retries == [false, true, true])
        #expect(pauses.withLock { $0 } == [.milliseconds(100), .milliseconds(200)])
    }

    @Test func `the last error is thrown when the attempts are used up`() async throws {
        var retries: [Bool] = []
        await #expect(throws: ExampleError()) { try await self.run([Self.transient], count: &retries) }
        #expect(retries.count == 4)
    }

    @Test func `a remedy is followed by the next attempt at once`() async throws {
        let refused = ExampleFailure(
            ExampleError(isTransient: false),
            mostAttempts: 4,
            remedies: [ExampleRemedy(id: "keys")]
        )
        var (applied, retries): ([String], [Bool]) = ([], [])
        let output = try await self.run(
            [.failure(refused), .success(1)],
            remedy: { applied.append($0.id) },
            count: &retries
        )
        #expect(output == 1 && applied == ["keys"] && retries == [false, false])
    }

    @Test func `a budget that is spent ends the call`() async throws {
        var (affordable, retries): (Int, [Bool]) = (2, [])
        await #expect(throws: ExampleError()) {
            try await self.run(
                [Self.transient],
                mayRetry: { _ in
                    affordable -= 1
                    return affordable >= 0
                },
                count: &retries
            )
        }
        #expect(retries.count == 3)
    }

    @Test func `no pause goes past the deadline, and the error asks for the rest`() async throws {
        var retries: [Bool] = []
        let error = ExampleError(retryAfter: .milliseconds(100))
        await #expect(throws: error) {
            try await self.run([Self.transient], before: .now, count: &retries)
        }
        #expect(retries.count == 1)
    }

    @Test func `a task that is cancelled in a pause hears so`() async throws {
        var retries: [Bool] = []
        await #expect(throws: ExampleError(isTransient: false, isCancellation: true)) {
            try await self.run(
                [Self.transient],
                sleep: { _ in throw CancellationError() },
                count: &retries
            )
        }
        #expect(retries.count == 1)
    }
}
