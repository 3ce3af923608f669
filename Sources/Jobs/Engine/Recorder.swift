import Logging
import Postgres

/// Writes down how a start of a job ended: ledger, rows, outgoing messages, all in one transaction.
struct Recorder: Sendable {
    let ledger: Ledger
    let database: PatientDatabase
    let relay: OutboxRelay
    let judge: Judge
    let metrics: JobMetrics
    let logger: Logger

    /// Records a fresh job that only writes rows, in one round trip; false if something stands in its way.
    func recordAtOnce(_ envelope: Envelope, _ success: Success, since start: ContinuousClock.Instant)
        async throws -> Bool
    {
        guard success.writes.allSatisfy({ $0.requiredRows == nil }) else { return false }
        do {
            let writes = [Write(self.ledger.succeedAtOnce(envelope))] + success.writes
            try await self.commit(writes, sending: [envelope.completion(success)])
        } catch let error as PostgresError where error.code == .constraintViolation {
            return false
        }
        self.tell(envelope, "succeeded", attempt: 1, since: start)
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
        case .dead(let death, let reason, let writes):
            let attempt = reason.map { Attempt(fate: "dead", reason: $0, start: start) }
            try await self.bury(death, writes, claim, envelope, attempt, since: start)
        }
    }

    /// Keeps a message out of the way for about `delay`: its job, or what it needs alone, is in other hands.
    func comeBack(_ envelope: Envelope, after delay: Duration) async throws {
        let message = OutboxMessage(to: .jobs, routingKey: envelope.routingKey, envelope.message)
        self.metrics[envelope.kind].count("gpudev_jobs_busy_total")
        try await self.database.commit([try message.insertion(after: delay * Double.random(in: 0.5...1.5))])
        self.relay.wake()
    }

    /// Buries a message that can never become a job, as it came.
    func bury(_ letter: Obituary) async throws {
        try await self.commit([], sending: try letter.messages())
        self.metrics.buried(letter.death.cause)
        self.logger.error(
            "a message was buried",
            metadata: ["error.code": "\(letter.death.code)", "error": "\(letter.death.error)"]
        )
    }
}

extension Recorder {
    /// Commits the writes together with the messages, and hands these to the relay.
    private func commit(_ writes: [Write], sending messages: [OutboxMessage]) async throws {
        let insertions = try messages.map { Write(try $0.insertion(after: OutboxDispatch.headStart)) }
        let expiry = ContinuousClock.now + OutboxDispatch.headStart
        let results = try await self.database.commit(writes + insertions)
        KillPoint.committed.reach()
        let dispatches = try zip(messages, results.suffix(messages.count)).map { message, result in
            OutboxDispatch(id: try result.rows[0].read("id"), message: message, expiry: expiry)
        }
        self.relay.send(dispatches)
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
        try await self.commit([Write(settlement)] + success.writes, sending: [envelope.completion(success)])
        self.tell(envelope, "succeeded", attempt: claim.attempt, since: start)
    }

    private func putOff(
        _ claim: Claim,
        _ envelope: Envelope,
        for delay: Duration,
        _ reason: Reason,
        _ attempt: Attempt?,
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
                + [try envelope.message(forTurn: claim.turns + 1).insertion(after: delay)]
        )
        self.relay.wake()
        KillPoint.committed.reach()
        let (fate, level) = attempt == nil ? ("snooze", Logger.Level.info) : ("retry", .warning)
        self.tell(envelope, fate, attempt: claim.attempt, reason, level: level, since: start)
    }

    private func bury(
        _ death: Death,
        _ writes: [Write],
        _ claim: Claim,
        _ envelope: Envelope,
        _ attempt: Attempt?,
        since start: ContinuousClock.Instant,
    ) async throws {
        let told = Reason(death.code.isEmpty ? death.cause.rawValue : death.code, death.error)
        let settlement = self.ledger.settle(claim, as: "dead", usesAttempt: attempt != nil, because: told)
        let messages = try Obituary(death, of: envelope, number: claim.deaths + 1).messages()
        let records = ([settlement] + self.ledger.record(attempt, of: claim)).map { Write($0) }
        try await self.commit(records + writes, sending: messages)
        self.metrics.died(envelope, of: death.cause)
        self.tell(envelope, "dead", attempt: claim.attempt, told, level: .error, since: start)
    }

    /// Says that the start has a fate, once the ledger has it.
    private func tell(
        _ envelope: Envelope,
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
        metadata["error.code"] = reason.map { "\($0.code)" }
        metadata["error"] = reason.map { "\($0.message)" }
        self.logger.log(level: level, "a job has ended its try", metadata: metadata)
    }
}
