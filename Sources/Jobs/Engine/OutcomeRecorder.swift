import Logging
import Postgres

/// Records the outcome of an attempt: ledger, rows and outgoing messages, all in one transaction.
struct OutcomeRecorder: Sendable {
    let topology: Topology
    let ledger: Ledger
    let database: RetryingDatabase
    let shared: SharedCommits
    let relay: OutboxRelay
    let policy: AttemptPolicy
    let metrics: JobMetrics
    let logger: Logger

    /// Records a fresh job that only writes rows, in one round trip that others may share; false if something stands in
    /// its way.
    func recordAtOnce(_ envelope: Envelope, _ success: Success, since start: ContinuousClock.Instant)
        async throws -> Bool
    {
        guard !success.writes.contains(where: { $0.requiredRows != nil }) else { return false }
        do {
            let event = envelope.completion(success, for: envelope.requester)
            let insertion = try event.insertion(after: OutboxDispatch.headStart)
            let expiry = ContinuousClock.now + OutboxDispatch.headStart
            KillPoint.committing.reach()
            var statements: [SQL] = []
            statements.reserveCapacity(success.writes.count + 2)
            statements.append(self.ledger.succeedAtOnce(envelope))
            for write in success.writes { statements.append(write.sql) }
            statements.append(insertion)
            let results = try await self.shared.commit(statements)
            try self.dispatch([event], results, until: expiry)
        } catch is PostgresError {
            return false
        }
        self.report(.succeeded, of: envelope, for: envelope.requester, attempt: 1, since: start)
        return true
    }

    /// Records `outcome`; a success that the database refuses has another one.
    ///
    /// Throws `Interrupted`, and the `PostgresError` of a claim that was lost.
    func record(
        _ outcome: Outcome,
        _ claim: Claim,
        _ envelope: Envelope,
        since start: ContinuousClock.Instant
    )
        async throws
    {
        switch outcome {
        case .success(let success, let onConflict):
            do {
                try await self.succeed(success, claim, envelope, since: start)
            } catch let error as PostgresError where error.isClaimLost {
                throw error
            } catch {
                let next = try await self.outcome(after: error, claim, onConflict)
                try await self.record(next, claim, envelope, since: start)
            }
        case .again(let delay, let reason, let usesAttempt):
            let attempt = usesAttempt ? Attempt(outcome: .retry, reason: reason, start: start) : nil
            try await self.reschedule(claim, envelope, for: delay, reason, attempt, since: start)
        case .leftToOthers(let reason):
            let visits = envelope.visitsInVain + 1
            guard let pause = self.policy.pause(afterVisitsInVain: visits) else {
                let error = "no replica that it met could do it: \(reason.message)"
                let failure = FinalFailure(
                    .rejected,
                    code: reason.code,
                    error: error,
                    attempts: claim.attempts
                )
                return try await self.record(.dead(failure, triedInVain: nil), claim, envelope, since: start)
            }
            try await self.reschedule(
                claim,
                envelope,
                for: pause,
                reason,
                nil,
                visitsInVain: visits,
                since: start
            )
        case .dead(let failure, let reason, let writes):
            let attempt = reason.map { Attempt(outcome: .dead, reason: $0, start: start) }
            do {
                try await self.deadLetter(
                    failure,
                    writes + claim.onDeath(failure.recorded),
                    claim,
                    envelope,
                    attempt,
                    since: start
                )
            } catch let error where self.isRefusal(error) {
                let bare = failure.adding("what was to be written with it was refused: \(error)")
                try await self.deadLetter(bare, [], claim, envelope, attempt, since: start)
            }
        }
    }

    /// Keeps a message out of the way until `key`, which its job needs alone, is let go; nobody who waits overtakes it.
    func park(_ envelope: Envelope, until key: String, limit: Duration) async throws {
        let message = envelope.messageAgain
        self.metrics[envelope.kind].deferred()
        let parking = try message.parking(until: key, limit: limit)
        let results = try await self.database.commit(self.ledger.note(envelope) + [parking])
        if try results.last?.rows.first?.read("is_parked", as: Bool.self) == false { self.relay.wake() }
    }

    /// Keeps a message out of the way for about `delay`: its job is in other hands.
    func comeBack(_ envelope: Envelope, after delay: Duration) async throws {
        let message = envelope.messageAgain
        self.metrics[envelope.kind].deferred()
        try await self.database.commit(
            self.ledger.note(envelope) + [try message.insertion(after: delay * Double.random(in: 0.5...1.5))]
        )
        self.relay.wake()
    }

    /// Dead-letters a message that can never become a job, as it came.
    func deadLetter(_ message: DeadLettering) async throws {
        try await self.commit([], sending: message.messages())
        self.metrics.deadLettered(message.failure.cause)
        self.logger.error(
            "message dead-lettered",
            metadata: ["error.code": "\(message.failure.code)", "error": "\(message.failure.error)"]
        )
    }
}

extension OutcomeRecorder {
    /// Commits the writes together with the messages, and hands these to the relay.
    private func commit(_ writes: [Write], sending messages: [OutboxMessage]) async throws {
        let insertions = try messages.map { Write(own: try $0.insertion(after: OutboxDispatch.headStart)) }
        let expiry = ContinuousClock.now + OutboxDispatch.headStart
        let results = try await self.database.commit(writes + insertions)
        try self.dispatch(messages, results, until: expiry)
    }

    /// Hands messages to the relay whose rows were committed by the last of the statements.
    private func dispatch(
        _ messages: [OutboxMessage],
        _ results: [PostgresResult],
        until expiry: ContinuousClock.Instant
    ) throws {
        KillPoint.committed.reach()
        let dispatches = try zip(messages, results.suffix(messages.count)).map { message, result in
            OutboxDispatch(id: try result.firstInteger(), message: message, expiry: expiry)
        }
        self.relay.send(dispatches)
    }

    /// Whether it is what a kind writes that keeps a final failure from being recorded.
    private func isRefusal(_ error: any Error) -> Bool {
        (error as? PostgresError).map { !$0.isClaimLost } ?? (error is WriteConflict)
    }

    /// What follows from an error of the database instead of a success.
    private func outcome(
        after error: any Error,
        _ claim: Claim,
        _ onConflict: ((PostgresError) async throws -> Outcome)?,
    ) async throws -> Outcome {
        if let conflict = error as? PostgresError, conflict.code == .constraintViolation, let onConflict {
            return try await onConflict(conflict)
        }
        return try self.policy.outcome(after: error, claim)
    }

    private func succeed(
        _ success: Success,
        _ claim: Claim,
        _ envelope: Envelope,
        since start: ContinuousClock.Instant
    ) async throws {
        let settlement = self.ledger.settle(claim, as: "succeeded", usesAttempt: true)
        let event = envelope.completion(success, for: claim.requester)
        try await self.commit([Write(own: settlement)] + success.writes, sending: [event])
        self.report(.succeeded, of: envelope, for: claim.requester, attempt: claim.attempt, since: start)
    }

    private func reschedule(
        _ claim: Claim,
        _ envelope: Envelope,
        for delay: Duration,
        _ reason: Reason,
        _ attempt: Attempt?,
        visitsInVain: Int = 0,
        since start: ContinuousClock.Instant,
    ) async throws {
        let settlement = self.ledger.settle(
            claim,
            as: "waiting",
            usesAttempt: attempt != nil,
            because: reason
        )
        try await self.database.commit(
            [settlement] + self.ledger.record(attempt, of: claim)
                + [
                    try envelope.message(forTurn: claim.turns + 1, visitsInVain: visitsInVain)
                        .insertion(after: delay)
                ]
        )
        self.relay.wake()
        KillPoint.committed.reach()
        self.report(
            attempt == nil ? .snooze : .retry,
            of: envelope,
            for: claim.requester,
            attempt: claim.attempt,
            reason,
            since: start
        )
    }

    private func deadLetter(
        _ failure: FinalFailure,
        _ writes: [Write],
        _ claim: Claim,
        _ envelope: Envelope,
        _ attempt: Attempt?,
        since start: ContinuousClock.Instant,
    ) async throws {
        let reason = failure.recorded
        let settlement = self.ledger.settle(claim, as: "dead", usesAttempt: attempt != nil, because: reason)
        let deadLettering = DeadLettering(
            failure,
            of: envelope,
            number: claim.deaths + 1,
            for: claim.requester,
            in: self.topology
        )
        let records = ([settlement] + self.ledger.record(attempt, of: claim)).map { Write(own: $0) }
        try await self.commit(records + writes, sending: deadLettering.messages())
        self.metrics.failed(envelope, because: failure.cause)
        self.report(
            .dead,
            of: envelope,
            for: claim.requester,
            attempt: claim.attempt,
            reason,
            since: start
        )
    }

    /// Counts and logs an outcome, once the ledger has it.
    private func report(
        _ outcome: RecordedOutcome,
        of envelope: Envelope,
        for requester: Requester,
        attempt: Int,
        _ reason: Reason? = nil,
        since start: ContinuousClock.Instant,
    ) {
        self.metrics.ended(envelope, as: outcome, since: start)
        JobTraces.ended(
            as: outcome.rawValue,
            attempt: attempt,
            because: outcome == .snooze ? nil : reason
        )
        var metadata = envelope.metadata
        metadata["job.fate"] = .string(outcome.rawValue)
        metadata["job.attempt"] = .string(String(attempt))
        if let name = requester.requestedBy { metadata["job.requested_by"] = .string(name) }
        if let user = requester.brokerUser { metadata["job.broker_user"] = .string(user) }
        if let reason {
            metadata["error.code"] = .string(reason.code)
            metadata["error"] = .string(reason.message)
        }
        self.logger.log(level: outcome.level, outcome.logMessage, metadata: metadata)
    }
}

extension RecordedOutcome {
    fileprivate var level: Logger.Level {
        switch self {
        case .succeeded, .snooze, .cancelled, .interrupted: .info
        case .retry: .warning
        case .dead: .error
        }
    }

    fileprivate var logMessage: Logger.Message {
        switch self {
        case .succeeded: "job succeeded"
        case .retry: "job will be retried"
        case .snooze: "job postponed"
        case .dead: "job dead-lettered"
        case .cancelled: "job cancelled"
        case .interrupted: "job interrupted"
        }
    }
}
