import Testing

@testable import Jobs

@Suite struct `The policy of attempts` {
    private func claim(start: Int = 1, attempts: Int = 0, snoozes: Int = 0, waited: Duration = .zero) -> Claim
    {
        Claim(
            job: JobID(),
            expiry: .now + .seconds(70),
            start: start,
            attempts: attempts,
            deaths: 0,
            snoozes: snoozes,
            turns: 0,
            followsUnsettledStart: false,
            waited: waited
        )
    }

    private let policy = AttemptPolicy(settings: WorkerSettings())
    private let reason = Reason("busy", "later")

    @Test func `gives a job twelve attempts by default`() throws {
        guard
            case .again(_, _, usesAttempt: true) = try self.policy.outcome(
                after: Conclusion.retry(self.reason),
                self.claim(attempts: 10)
            )
        else { throw Unexpected() }
        guard
            case .dead(let failure, _, _) = try self.policy.outcome(
                after: Conclusion.retry(self.reason),
                self.claim(attempts: 11)
            )
        else { throw Unexpected() }
        #expect(failure.cause == .exhausted)
        #expect(failure.attempts == 12)
    }

    @Test func `lets nobody come back sooner than was asked`() throws {
        guard
            case .again(let delay, _, _) = try self.policy.outcome(
                after: Conclusion.retry(self.reason, after: .seconds(90)),
                self.claim()
            )
        else { throw Unexpected() }
        #expect(delay == .seconds(90))
    }

    @Test func `ends a snooze that has gone on for too long, with no attempt used`() throws {
        let late = self.claim(waited: .seconds(24 * 3600))
        guard
            case .dead(let failure, triedInVain: nil, _) = try self.policy.outcome(
                after: Conclusion.snooze(.seconds(1), self.reason),
                late
            )
        else { throw Unexpected() }
        #expect(failure.cause == .exhausted)
        #expect(failure.attempts == 0)
    }

    @Test func `calls a job poison after five starts without an end`() {
        #expect(self.policy.poison(self.claim(start: 5)) == nil)
        #expect(self.policy.poison(self.claim(start: 6)) != nil)
    }

    @Test(arguments: [true, false])
    func `follows what a client's error says of another attempt`(_ isWorthIt: Bool) throws {
        let error = Described(isWorthAnotherTry: isWorthIt)
        switch try self.policy.outcome(after: error, self.claim()) {
        case .again(let delay, let reason, usesAttempt: true):
            #expect(isWorthIt && reason.code == "Throttled" && delay >= .seconds(3))
        case .dead(let failure, triedInVain: _?, _):
            #expect(!isWorthIt && failure.cause == .rejected && failure.code == "Throttled")
        default: throw Unexpected()
        }
    }

    @Test func `retries after an error that nobody has described`() throws {
        guard
            case .again(_, let reason, usesAttempt: true) = try self.policy.outcome(
                after: Unexpected(),
                self.claim()
            )
        else { throw Unexpected() }
        #expect(reason.code == "unexpected")
    }

    @Test func `gives a kind as many attempts as it asks for`() throws {
        var claim = self.claim(attempts: 1)
        claim.retries = RetrySchedule(maximumAttempts: 2)
        guard case .dead(let failure, _, _) = try self.policy.outcome(after: Unexpected(), claim) else {
            throw Unexpected()
        }
        #expect(failure.cause == .exhausted && failure.attempts == 2)
    }

    @Test func `takes a conclusion for what it is even where the attempt was cancelled`() async throws {
        let (policy, claim, reason) = (self.policy, self.claim(), self.reason)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return switch try policy.outcome(after: Conclusion.rejected(reason), claim) {
            case .dead: true
            default: false
            }
        }
        task.cancel()
        #expect(try await task.value)
    }

    @Test func `leaves an attempt alone that only the worker's end has stopped`() {
        #expect(throws: Interrupted.self) { _ = try self.policy.outcome(after: Interrupted(), self.claim()) }
    }
}

private struct Described: DescribedFailure {
    let failureCode = "Throttled"
    let isWorthAnotherTry: Bool
    let waitBeforeNextTry: Duration? = .seconds(3)
}

private struct Unexpected: Error {}
