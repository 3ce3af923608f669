import Logging
import Postgres

/// Writes down how a start of a job ended: ledger, rows, outgoing messages, all in one transaction.
struct Recorder: Sendable {
    let ledger: Ledger
    let database: PatientDatabase
    let judge: Judge
    let logger: Logger

    /// Records a fresh job that only writes rows, in one round trip; false if something stands in its way.
    func recordAtOnce(_ envelope: Envelope, _ success: Success) async throws -> Bool {
        guard success.writes.allSatisfy({ $0.requiredRows == nil }) else { return false }
        let statements =
            try [self.ledger.succeedAtOnce(envelope)] + success.writes.map(\.sql)
            + [envelope.completion(success).insertion()]
        do {
            try await self.database.commit(statements)
        } catch let error as PostgresError where error.code == .constraintViolation {
            return false
        }
        KillPoint.committed.reach()
        self.log(envelope, "succeeded", attempt: 1)
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
                try await self.succeed(success, claim, envelope)
            } catch let error as PostgresError where error.isClaimLost {
                throw error
            } catch {
                let next = try await self.ending(after: error, claim, onConflict)
                try await self.record(next, claim, envelope, since: start)
            }
        case .again(let delay, let reason, let usesAttempt):
            let attempt = usesAttempt ? Attempt(fate: "retry", reason: reason, start: start) : nil
            try await self.putOff(claim, envelope, for: delay, reason, attempt)
        case .dead(let death, let reason, let writes):
            let attempt = reason.map { Attempt(fate: "dead", reason: $0, start: start) }
            try await self.bury(death, writes, claim, envelope, attempt)
        }
    }

    /// Keeps a message out of the way for about `delay`: its job, or what it needs alone, is in other hands.
    func comeBack(_ envelope: Envelope, after delay: Duration) async throws {
        let message = OutboxMessage(to: .jobs, routingKey: envelope.routingKey, envelope.message)
        try await self.database.commit([try message.insertion(after: delay * Double.random(in: 0.5...1.5))])
    }

    /// Buries a message that can never become a job, as it came.
    func bury(_ letter: Obituary) async throws {
        try await self.database.commit(try letter.messages().map { try $0.insertion() })
        KillPoint.committed.reach()
        self.logger.error(
            "a message was buried",
            metadata: ["error.code": "\(letter.death.code)", "error": "\(letter.death.error)"]
        )
    }
}

extension Recorder {
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

    private func succeed(_ success: Success, _ claim: Claim, _ envelope: Envelope) async throws {
        let settlement = self.ledger.settle(claim, as: "succeeded", usesAttempt: true)
        let event = try envelope.completion(success).insertion()
        try await self.database.commit([Write(settlement)] + success.writes + [Write(event)])
        KillPoint.committed.reach()
        self.log(envelope, "succeeded", attempt: claim.attempt)
    }

    private func putOff(
        _ claim: Claim,
        _ envelope: Envelope,
        for delay: Duration,
        _ reason: Reason,
        _ attempt: Attempt?,
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
        KillPoint.committed.reach()
        let (fate, level) = attempt == nil ? ("snooze", Logger.Level.info) : ("retry", .warning)
        self.log(envelope, fate, attempt: claim.attempt, reason, level: level)
    }

    private func bury(
        _ death: Death,
        _ writes: [Write],
        _ claim: Claim,
        _ envelope: Envelope,
        _ attempt: Attempt?,
    ) async throws {
        let told = Reason(death.code.isEmpty ? death.cause.rawValue : death.code, death.error)
        let settlement = self.ledger.settle(claim, as: "dead", usesAttempt: attempt != nil, because: told)
        let messages = try Obituary(death, of: envelope, number: claim.deaths + 1).messages()
        try await self.database.commit(
            ([settlement] + self.ledger.record(attempt, of: claim)).map { Write($0) } + writes
                + messages.map { Write(try $0.insertion()) }
        )
        KillPoint.committed.reach()
        self.log(envelope, "dead", attempt: claim.attempt, told, level: .error)
    }

    private func log(
        _ envelope: Envelope,
        _ fate: String,
        attempt: Int,
        _ reason: Reason? = nil,
        level: Logger.Level = .info,
    ) {
        var metadata = envelope.metadata
        metadata["job.fate"] = "\(fate)"
        metadata["job.attempt"] = "\(attempt)"
        metadata["error.code"] = reason.map { "\($0.code)" }
        metadata["error"] = reason.map { "\($0.message)" }
        self.logger.log(level: level, "a job has ended its try", metadata: metadata)
    }
}
