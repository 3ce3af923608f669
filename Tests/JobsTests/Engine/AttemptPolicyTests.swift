import Testing

@testable import Jobs

@Suite struct `The judge` {
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

    private let judge = AttemptPolicy(settings: WorkerSettings())
    private let reason = Reason("busy", "later")

    @Test func `gives a job twelve tries by default`() throws {
        guard
            case .again(_, _, usesAttempt: true) = self.judge.ending(
                of: .retry(self.reason),
                self.claim(attempts: 10)
            )
        else { throw Unexpected() }
        guard
            case .dead(let death, _, _) = self.judge.ending(of: .retry(self.reason), self.claim(attempts: 11))
        else { throw Unexpected() }
        #expect(death.cause == .exhausted)
        #expect(death.attempts == 12)
    }

    @Test func `lets nobody come back sooner than was asked`() throws {
        guard
            case .again(let delay, _, _) = self.judge.ending(
                of: .retry(self.reason, after: .seconds(90)),
                self.claim()
            )
        else { throw Unexpected() }
        #expect(delay == .seconds(90))
    }

    @Test func `ends a snooze that has gone on for too long, with no attempt used`() throws {
        let late = self.claim(waited: .seconds(24 * 3600))
        guard
            case .dead(let death, triedInVain: nil, _) = self.judge.ending(
                of: .snooze(.seconds(1), self.reason),
                late
            )
        else { throw Unexpected() }
        #expect(death.cause == .exhausted)
        #expect(death.attempts == 0)
    }

    @Test func `calls a job poison after five starts without an end`() {
        #expect(self.judge.poison(self.claim(start: 5)) == nil)
        #expect(self.judge.poison(self.claim(start: 6)) != nil)
    }

    @Test(arguments: [true, false])
    func `follows a client's own word on whether another try may help`(_ isWorthIt: Bool) throws {
        let fate = try self.judge.fate(after: Described(isWorthAnotherTry: isWorthIt))
        switch fate {
        case .retry(let reason, let least):
            #expect(isWorthIt && reason.code == "Throttled" && least == .seconds(3))
        case .rejected(let reason, _): #expect(!isWorthIt && reason.code == "Throttled")
        default: throw Unexpected()
        }
    }

    @Test func `tries again after a surprise that nobody has described`() throws {
        guard case .retry(let reason, _) = try self.judge.fate(after: Unexpected()) else {
            throw Unexpected()
        }
        #expect(reason.code == "unexpected")
    }

    @Test func `leaves a try alone that only the worker's end has stopped`() {
        #expect(throws: Interrupted.self) { _ = try self.judge.fate(after: Interrupted()) }
    }
}

private struct Described: DescribedFailure {
    let failureCode = "Throttled"
    let isWorthAnotherTry: Bool
    let waitBeforeNextTry: Duration? = .seconds(3)
}

private struct Unexpected: Error {}
