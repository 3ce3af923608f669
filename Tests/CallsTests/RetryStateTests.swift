import Testing

@testable import Calls

@Suite struct RetryStateTests {
    private typealias State = RetryState<ExampleRemedy>

    private let policy = RetryPolicy(
        transient: Backoff(base: .milliseconds(100), cap: .seconds(1), jitter: 1...1),
        throttled: Backoff(base: .seconds(1), cap: .seconds(20), jitter: 1...1)
    )

    @Test func `a failure of the moment is paused after until the attempts are used up`() {
        var state = State(self.policy)
        #expect(!state.isRetrying)
        let failure = ExampleFailure(ExampleError(), mostAttempts: 4)
        let actions = (1...4).map { _ in state.next(after: failure) }
        #expect(
            actions == [
                .pause(.milliseconds(100)), .pause(.milliseconds(200)), .pause(.milliseconds(400)), .giveUp,
            ]
        )
        #expect(state.isRetrying)
    }

    @Test func `after throttling the pauses are longer`() {
        var state = State(self.policy)
        let failure = ExampleFailure(ExampleError(isThrottling: true), mostAttempts: 9)
        let actions = (1...6).map { _ in state.next(after: failure) }
        #expect(actions == [1, 2, 4, 8, 16, 20].map { .pause(.seconds($0)) })
    }

    @Test func `what would fail again is given up at once`() {
        var state = State(self.policy)
        let action = state.next(after: ExampleFailure(ExampleError(isTransient: false), mostAttempts: 4))
        #expect(action == .giveUp)
    }

    @Test func `what may have begun to act is not repeated`() {
        var state = State(self.policy)
        let action = state.next(after: ExampleFailure(ExampleError(), mostAttempts: 1))
        #expect(action == .giveUp)
    }

    @Test(arguments: [(50, 100), (2500, 2500), (5000, 5000)])
    func `a pause is never shorter than the server asks`(asked: Int, pause: Int) {
        var state = State(self.policy)
        let error = ExampleError(retryAfter: .milliseconds(asked))
        let action = state.next(after: ExampleFailure(error, mostAttempts: 4))
        #expect(action == .pause(.milliseconds(pause)))
    }

    @Test func `a pause that is too long for a worker is left to the job`() {
        var state = State(self.policy)
        let error = ExampleError(retryAfter: .milliseconds(5001))
        let action = state.next(after: ExampleFailure(error, mostAttempts: 4))
        #expect(action == .giveUp)
    }

    @Test func `each remedy is applied once, in order, and counts as no attempt`() {
        var state = State(self.policy)
        let (first, second) = (ExampleRemedy(id: "a", value: 1), ExampleRemedy(id: "b"))
        let error = ExampleError()
        let actions = [
            state.next(after: ExampleFailure(error, mostAttempts: 2, remedies: [first, second])),
            state.next(after: ExampleFailure(error, mostAttempts: 2, remedies: [.init(id: "a"), second])),
        ]
        #expect(actions == [.apply(first), .apply(second)] && !state.isRetrying)
        let last = (1...2).map { _ in
            state.next(after: ExampleFailure(error, mostAttempts: 2, remedies: [first, second]))
        }
        #expect(last == [.pause(.milliseconds(100)), .giveUp])
    }
}
