import Logging
import Postgres

/// Writes down how a start of a job ended: ledger, rows, outgoing messages, all in one transaction.
struct Recorder: Sendable {
    let topology: Topology
    let ledger: Ledger
    let database: RetryingDatabase
    let relay: OutboxRelay
    let judge: AttemptPolicy
    let metrics: JobMetrics
    let logger: Logger

    /// Records a fresh job that only writes rows, in one round trip; false if something stands in its way.
    func recordAtOnce(_ envelope: Envelope, _ success: Success, since start: ContinuousClock.Instant)
        async throws -> Bool
    {
        guard success.writes.allSatisfy({ $0.requiredRows == nil }) else { return false }
        do {
            let writes = [Write(own: self.ledger.succeedAtOnce(envelope))] + success.writes
            try await self.commit(writes, sending: [envelope.completion(success, for: envelope.requester)])
        } catch is PostgresError {
            return false
        }
        self.tell(envelope, for: envelope.requester, "succeeded", attempt: 1, since: start)
        return true
    }

    /// Records `ending`; what the database refuses of a success is judged in its turn.
    ///
    /// Throws `Interrupted`, and the `PostgresError` of a claim that was lost.
    func record(_ ending: Ending, _ claim: Claim, _ envelope: Envelope, since start: ContinuousClock.Instant)
        async throws
    {
        switch ending {
        case .success(let success, let onConflict):
            do {
                try await self.succeed(success, claim, envelope, since: start)
            } catch let error as PostgresError where error.isClaimLost {
                throw error
            } catch {
                let next = try await self.ending(after: error, claim, onConflict)
                try await self.record(next, claim, envelope, since: start)
            }
        case .again(let delay, let reason, let usesAttempt):
            let attempt = usesAttempt ? Attempt(fate: "retry", reason: reason, start: start) : nil
            try await self.putOff(claim, envelope, for: delay, reason, attempt, since: start)
        case .leftToOthers(let reason):
            let visits = envelope.visitsInVain + 1
            guard let pause = self.judge.pause(afterVisitsInVain: visits) else {
                let error = "no replica that it met could do it: \(reason.message)"
                let death = FinalFailure(.rejected, code: reason.code, error: error, attempts: claim.attempts)
                let ending = Ending.dead(death, triedInVain: nil)
                return try await self.record(ending, claim, envelope, since: start)
            }
            try await self.putOff(
                claim,
                envelope,
                for: pause,
                reason,
                nil,
                visitsInVain: visits,
                since: start
            )
        case .dead(let death, let reason, let writes):
            let attempt = reason.map { Attempt(fate: "dead", reason: $0, start: start) }
            do {
                try await self.bury(
                    death,
                    writes + claim.onDeath(death.told),
                    claim,
                    envelope,
                    attempt,
                    since: start
                )
            } catch let error where self.isRefusal(error) {
                let bare = death.adding("what was to be written with its death was refused: \(error)")
                try await self.bury(bare, [], claim, envelope, attempt, since: start)
            }
        }
    }

    /// Keeps a message out of the way until `key`, which its job needs alone, is let go; nobody who waits overtakes it.
    func park(_ envelope: Envelope, until key: String, limit: Duration) async throws {
        let message = envelope.messageAgain
        self.metrics[envelope.kind].count("gpudev_jobs_busy_total")
        let parking = try message.parking(until: key, limit: limit)
        let results = try await self.database.commit(self.ledger.note(envelope) + [parking])
        if try results.last?.rows.first?.read("is_parked", as: Bool.self) == false { self.relay.wake() }
    }

    /// Keeps a message out of the way for about `delay`: its job is in other hands.
    func comeBack(_ envelope: Envelope, after delay: Duration) async throws {
        let message = envelope.messageAgain
        self.metrics[envelope.kind].count("gpudev_jobs_busy_total")
        try await self.database.commit(
            self.ledger.note(envelope) + [try message.insertion(after: delay * Double.random(in: 0.5...1.5))]
        )
        self.relay.wake()
    }

    /// Buries a message that can never become a job, as it came.
    func bury(_ letter: DeadLettering) async throws {
        try await self.commit([], sending: letter.messages())
        self.metrics.buried(letter.death.cause)
        self.logger.error(
            "message dead-lettered",
            metadata: ["error.code": "\(letter.death.code)", "error": "\(letter.death.error)"]
        )
    }
}

extension Recorder {
    /// Commits the writes together with the messages, and hands these to the relay.
    private func commit(_ writes: [Write], sending messages: [OutboxMessage]) async throws {
        let insertions = try messages.map { Write(own: try $0.insertion(after: OutboxDispatch.headStart)) }
        let expiry = ContinuousClock.now + OutboxDispatch.headStart
        let results = try await self.database.commit(writes + insertions)
        KillPoint.committed.reach()
        let dispatches = try zip(messages, results.suffix(messages.count)).map { message, result in
            OutboxDispatch(id: try result.rows[0].read("id"), message: message, expiry: expiry)
        }
        self.relay.send(dispatches)
    }

    /// Whether it is what a kind writes that keeps a death from being recorded.
    private func isRefusal(_ error: any Error) -> Bool {
        (error as? PostgresError).map { !$0.isClaimLost } ?? (error is WriteConflict)
    }

    /// What the database did not take leads to another ending.
    private func ending(
        after error: any Error,
        _ claim: Claim,
        _ onConflict: ((PostgresError) async throws -> Ending)?,
    ) async throws -> Ending {
        if let conflict = error as? PostgresError, conflict.code == .constraintViolation, let onConflict {
            return try await onConflict(conflict)
        }
        return self.judge.ending(of: try self.judge.fate(after: error), claim)
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
        self.tell(envelope, for: claim.requester, "succeeded", attempt: claim.attempt, since: start)
    }

    private func putOff(
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
        let (fate, level) = attempt == nil ? ("snooze", Logger.Level.info) : ("retry", .warning)
        self.tell(
            envelope,
            for: claim.requester,
            fate,
            attempt: claim.attempt,
            reason,
            level: level,
            since: start
        )
    }

    private func bury(
        _ death: FinalFailure,
        _ writes: [Write],
        _ claim: Claim,
        _ envelope: Envelope,
        _ attempt: Attempt?,
        since start: ContinuousClock.Instant,
    ) async throws {
        let told = death.told
        let settlement = self.ledger.settle(claim, as: "dead", usesAttempt: attempt != nil, because: told)
        let obituary = DeadLettering(
            death,
            of: envelope,
            number: claim.deaths + 1,
            for: claim.requester,
            in: self.topology
        )
        let records = ([settlement] + self.ledger.record(attempt, of: claim)).map { Write(own: $0) }
        try await self.commit(records + writes, sending: obituary.messages())
        self.metrics.died(envelope, of: death.cause)
        self.tell(
            envelope,
            for: claim.requester,
            "dead",
            attempt: claim.attempt,
            told,
            level: .error,
            since: start
        )
    }

    /// Says that the start has a fate, once the ledger has it.
    private func tell(
        _ envelope: Envelope,
        for requester: Requester,
        _ fate: String,
        attempt: Int,
        _ reason: Reason? = nil,
        level: Logger.Level = .info,
        since start: ContinuousClock.Instant,
    ) {
        self.metrics.ended(envelope, as: fate, since: start)
        JobTraces.ended(as: fate, attempt: attempt, because: fate == "snooze" ? nil : reason)
        var metadata = envelope.metadata
        metadata["job.fate"] = "\(fate)"
        metadata["job.attempt"] = "\(attempt)"
        metadata["job.requested_by"] = requester.requestedBy.map { "\($0)" }
        metadata["job.broker_user"] = requester.brokerUser.map { "\($0)" }
        metadata["error.code"] = reason.map { "\($0.code)" }
        metadata["error"] = reason.map { "\($0.message)" }
        self.logger.log(level: level, Self.message(of: fate), metadata: metadata)
    }

    private static func message(of fate: String) -> Logger.Message {
        switch fate {
        case "succeeded": "job succeeded"
        case "retry": "job will be retried"
        case "snooze": "job postponed"
        case "dead": "job dead-lettered"
        default: "job attempt finished"
        }
    }
}
