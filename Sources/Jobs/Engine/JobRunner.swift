import EventLoops
import FoundationEssentials
import Logging
import Postgres
import RabbitMQ

/// Takes one delivery to its end: claims the job, runs its handler, records the fate.
///
/// The steps are those of the path of a job; what a kind does is in its handler, what the ledger and the outbox need
/// is in theirs. Everything runs on the job loop.
actor JobRunner {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let kinds: KindTable
    private let settings: WorkerSettings
    private let ledger: Ledger
    private let session: WorkerSession
    private let database: PatientDatabase
    private let logger: Logger

    /// Jobs that run here now, with the deliveries of the same job that wait for them.
    private var running: [JobID: [CheckedContinuation<Void, Never>]] = [:]

    init(
        kinds: KindTable,
        settings: WorkerSettings,
        ledger: Ledger,
        session: WorkerSession,
        database: PatientDatabase,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.kinds = kinds
        self.settings = settings
        self.ledger = ledger
        self.session = session
        self.database = database
        self.loop = loop
        self.logger = logger
    }

    /// What the queue is to be told about a delivery.
    enum Verdict: Sendable {
        case acknowledge, giveBack, reject
    }

    /// Works on one delivery for as long as it takes.
    func verdict(on delivery: Delivery) async -> Verdict {
        KillPoint.delivered.reach()
        do {
            let envelope = try Envelope(delivery)
            return try await self.alone(with: envelope.id) { try await self.run(envelope) }
        } catch let malformed as Malformed {
            return await self.bury(malformed, delivery)
        } catch is Interrupted {
            return .giveBack
        } catch {
            return await self.putOff(delivery, because: error)
        }
    }
}

extension JobRunner {
    /// Runs `body` when no other delivery of the same job is being worked on here.
    private func alone<Value>(with job: JobID, _ body: () async throws -> Value) async throws -> Value {
        while self.running[job] != nil {
            await withCheckedContinuation { self.running[job]?.append($0) }
        }
        self.running[job] = []
        defer {
            for waiting in self.running.removeValue(forKey: job) ?? [] { waiting.resume() }
        }
        return try await body()
    }

    private func run(_ envelope: Envelope) async throws -> Verdict {
        guard let kind = self.kinds[envelope.kind] else { return try await self.wait(forKindOf: envelope) }
        let prepared: PreparedJob
        do {
            prepared = try kind.prepare(envelope.message.body)
        } catch let faults as PayloadFaults {
            return try await self.claimAndRecord(envelope) { _ in
                .dead(Death(.invalidPayload, code: "payload", error: faults.description), fate: nil)
            }
        }
        if case .writing(let record, _) = prepared, !envelope.isRedelivered, envelope.replayCount == 0,
            try await self.recordAtOnce(envelope, record)
        {
            return .acknowledge
        }
        return try await self.claimAndRun(envelope, kind, prepared)
    }

    /// The fast way of a fresh job that only writes rows: one round trip; false if something stands in its way.
    private func recordAtOnce(
        _ envelope: Envelope,
        _ record: @Sendable (JobID, JobContext) -> Success,
    ) async throws -> Bool {
        let success = record(envelope.id, self.context(attempt: 1, for: .zero, envelope))
        guard success.writes.allSatisfy({ $0.requiredRows == nil }) else { return false }
        let statements =
            try [self.ledger.succeedAtOnce(envelope)] + success.writes.map(\.sql)
            + [self.completion(of: envelope, success).insertion()]
        do {
            try await self.database.commit(statements)
        } catch let error as PostgresError where error.code == .constraintViolation {
            return false
        }
        KillPoint.committed.reach()
        self.log(envelope, fate: "succeeded", attempt: 1)
        return true
    }

    private func claimAndRun(
        _ envelope: Envelope,
        _ kind: RegisteredKind,
        _ prepared: PreparedJob,
    ) async throws -> Verdict {
        let deadline = kind.deadline ?? self.settings.deadline
        let key: String? = if case .acting(let key, _) = prepared { key } else { nil }
        return try await self.claimAndRecord(envelope, exclusiveKey: key, deadline: deadline) { claim in
            try await self.ending(of: prepared, claim, envelope, deadline)
        }
    }

    /// Claims the job, lets `decide` find its ending, and records that; again from the start if the claim was lost.
    private func claimAndRecord(
        _ envelope: Envelope,
        exclusiveKey: String? = nil,
        deadline: Duration = .seconds(30),
        _ decide: (Claim) async throws -> Ending,
    ) async throws -> Verdict {
        while true {
            try await self.session.waitUntilHeld()
            let outcome = try await self.database.persist {
                try await self.ledger.claim(
                    envelope,
                    for: deadline + .seconds(10),
                    exclusiveKey: exclusiveKey
                )
            }
            switch outcome {
            case .finished(let state):
                self.logger.info(
                    "a duplicate was dropped",
                    metadata: self.metadata(envelope, ["job.state": "\(state)"])
                )
                return .acknowledge
            case .busy:
                try await self.comeBack(envelope)
                return .acknowledge
            case .claimed(let claim):
                KillPoint.claimed.reach()
                do {
                    let start = ContinuousClock.now
                    let ending = try await self.ending(claim, decide)
                    try await self.record(ending, claim, envelope, took: ContinuousClock.now - start)
                    return .acknowledge
                } catch let error as PostgresError where error.isClaimLost {
                    self.logger.warning(
                        "the claim was lost to another worker",
                        metadata: self.metadata(envelope)
                    )
                } catch is Interrupted {
                    await self.database.release(claim, in: self.ledger)
                    throw Interrupted()
                }
            }
        }
    }

    private func ending(_ claim: Claim, _ decide: (Claim) async throws -> Ending) async throws -> Ending {
        guard claim.start <= self.settings.maximumStarts else {
            let error =
                "\(claim.start - 1) starts ended without any outcome: the job seems to kill its worker"
            return .dead(Death(.poison, error: error, attempts: claim.attempts), fate: nil)
        }
        return try await decide(claim)
    }

    /// Runs the handler within its deadline, and turns what comes of it into an ending.
    private func ending(
        of prepared: PreparedJob,
        _ claim: Claim,
        _ envelope: Envelope,
        _ deadline: Duration,
    ) async throws -> Ending {
        switch prepared {
        case .acting(_, let act):
            return try await self.judge(claim) {
                let context = self.context(attempt: claim.attempt, for: deadline, envelope)
                let fate = try await withDeadline(of: deadline, on: self.loop) {
                    try await act(claim.job, context)
                }
                KillPoint.acted.reach()
                return fate
            }
        case .writing(let record, let resolve):
            let context = self.context(attempt: claim.attempt, for: deadline, envelope)
            let success = record(claim.job, context)
            return .success(success) { conflict in
                try await self.judge(claim) {
                    try await resolve(conflict, claim.job, context, self.database.pool)
                }
            }
        }
    }

    /// What a fate, or a surprise instead of one, means for the job.
    private func judge(_ claim: Claim, _ try_: () async throws -> Fate) async throws -> Ending {
        switch try await self.fate(try_) {
        case .success(let success): return .success(success, onConflict: nil)
        case .retry(let reason): return self.retry(claim, reason)
        case .snooze(let delay, let reason): return self.snooze(claim, delay, reason)
        case .rejected(let reason, let writes):
            let death = Death(.rejected, code: reason.code, error: reason.message, attempts: claim.attempt)
            return .dead(death, fate: reason, writes: writes)
        }
    }

    /// The one table that decides which surprises are worth another attempt.
    private func fate(_ try_: () async throws -> Fate) async throws -> Fate {
        do {
            return try await self.database.persist { try await try_() }
        } catch is DeadlineExceeded {
            return .retry(Reason("deadline-exceeded", "the try took longer than it may"))
        } catch let failure as any DescribedFailure {
            if Task.isCancelled { throw Interrupted() }
            let reason = Reason(failure.failureCode, "\(failure)")
            return failure.isWorthAnotherTry ? .retry(reason) : .rejected(reason)
        } catch let error as PostgresError {
            return .retry(Reason(error.sqlState ?? error.code.rawValue, "\(error)"))
        } catch {
            if error is Interrupted || Task.isCancelled { throw Interrupted() }
            return .retry(Reason("unexpected", "\(error)"))
        }
    }

    private func retry(_ claim: Claim, _ reason: Reason) -> Ending {
        var random = SystemRandomNumberGenerator()
        guard let delay = self.settings.retries.delay(afterAttempt: claim.attempt, using: &random) else {
            let death = Death(.exhausted, code: reason.code, error: reason.message, attempts: claim.attempt)
            return .dead(death, fate: reason)
        }
        return .again(after: delay, reason, usesAttempt: true)
    }

    private func snooze(_ claim: Claim, _ delay: Duration, _ reason: Reason) -> Ending {
        guard claim.waited < self.settings.maximumSnooze else {
            let error = "waited \(claim.waited) in vain: \(reason.message)"
            return .dead(
                Death(.exhausted, code: reason.code, error: error, attempts: claim.attempts),
                fate: nil
            )
        }
        return .again(after: delay, reason, usesAttempt: false)
    }

    /// A kind that no one here knows may be known to a newer replica.
    private func wait(forKindOf envelope: Envelope) async throws -> Verdict {
        let steps = self.settings.unknownKindSteps
        return try await self.claimAndRecord(envelope) { claim in
            let reason = Reason(
                "unknown-kind",
                "no handler for \(envelope.kind); known are \(self.kinds.names)"
            )
            guard claim.snoozes < steps else {
                return .dead(Death(.unknownKind, code: reason.code, error: reason.message), fate: nil)
            }
            return .again(after: self.settings.unknownKindWait / steps, reason, usesAttempt: false)
        }
    }
}

/// What will be recorded of a start.
private enum Ending {
    /// `onConflict` decides what a constraint violation means; without it, one is worth another try.
    case success(Success, onConflict: ((PostgresError) async throws -> Ending)?)
    case again(after: Duration, Reason, usesAttempt: Bool)
    /// `fate` is there if the handler has run.
    case dead(Death, fate: Reason?, writes: [Write] = [])
}

extension JobRunner {
    private func record(
        _ ending: Ending,
        _ claim: Claim,
        _ envelope: Envelope,
        took duration: Duration,
    ) async throws {
        switch ending {
        case .success(let success, let onConflict):
            do {
                try await self.succeed(success, claim, envelope)
            } catch let error as PostgresError where error.code == .constraintViolation {
                let next =
                    try await onConflict?(error)
                    ?? self.retry(claim, Reason(error.constraint ?? "constraint", "\(error)"))
                try await self.record(next, claim, envelope, took: duration)
            } catch is WriteConflict {
                let reason = Reason(
                    "row-changed",
                    "a row that the job read was changed before it could write"
                )
                try await self.record(self.retry(claim, reason), claim, envelope, took: duration)
            }
        case .again(let delay, let reason, let usesAttempt):
            try await self.putOff(
                claim,
                envelope,
                for: delay,
                reason,
                usesAttempt: usesAttempt,
                took: duration
            )
        case .dead(let death, let reason, let writes):
            try await self.die(death, reason, writes, claim, envelope, took: duration)
        }
    }

    private func succeed(_ success: Success, _ claim: Claim, _ envelope: Envelope) async throws {
        let settlement = self.ledger.settle(claim, as: "succeeded", usesAttempt: true)
        let event = try self.completion(of: envelope, success).insertion()
        try await self.database.commit([Write(settlement)] + success.writes + [Write(event)])
        KillPoint.committed.reach()
        self.log(envelope, fate: "succeeded", attempt: claim.attempt)
    }

    private func putOff(
        _ claim: Claim,
        _ envelope: Envelope,
        for delay: Duration,
        _ reason: Reason,
        usesAttempt: Bool,
        took duration: Duration,
    ) async throws {
        let attempt =
            usesAttempt
            ? [self.ledger.failedAttempt(of: claim, fate: "retry", because: reason, tookFor: duration)] : []
        var next = envelope.message
        next.properties.headers[Envelope.turnHeader] = .int64(Int64(claim.turns + 1))
        let message = OutboxMessage(to: .jobs, routingKey: envelope.routingKey, next)
        try await self.database.commit(
            [self.ledger.settle(claim, as: "waiting", usesAttempt: usesAttempt, because: reason)] + attempt
                + [try message.insertion(after: delay)]
        )
        KillPoint.committed.reach()
        self.log(
            envelope,
            fate: usesAttempt ? "retry" : "snooze",
            attempt: claim.attempt,
            reason,
            level: usesAttempt ? .warning : .info
        )
    }

    private func die(
        _ death: Death,
        _ reason: Reason?,
        _ writes: [Write],
        _ claim: Claim,
        _ envelope: Envelope,
        took duration: Duration,
    ) async throws {
        let told = reason ?? Reason(death.code.isEmpty ? death.cause.rawValue : death.code, death.error)
        let attempt = reason.map {
            self.ledger.failedAttempt(of: claim, fate: "dead", because: $0, tookFor: duration)
        }
        let settlement = self.ledger.settle(claim, as: "dead", usesAttempt: reason != nil, because: told)
        let messages = try self.obituary(
            death,
            envelope.message,
            exchange: envelope.exchange,
            routingKey: envelope.routingKey,
            job: envelope.id,
            kind: envelope.kind,
            death: claim.deaths + 1
        )
        try await self.database.commit(
            [Write(settlement)] + [attempt].compactMap { $0 }.map { Write($0) } + writes
                + messages.map { Write($0) }
        )
        KillPoint.committed.reach()
        self.log(envelope, fate: "dead", attempt: claim.attempt, told, level: .error)
    }

    /// The dead letter, and the event that tells of the death if the job has an id.
    private func obituary(
        _ death: Death,
        _ message: Message,
        exchange: String,
        routingKey: String,
        job: JobID?,
        kind: JobKind,
        death number: Int,
    ) throws -> [SQL] {
        let now = Date()
        let letter = death.letter(for: message, exchange: exchange, routingKey: routingKey, at: now)
        let burial = try OutboxMessage(to: .dead, routingKey: routingKey, letter).insertion()
        guard let job else { return [burial] }
        let event = CompletionEvent(
            job: job,
            kind: kind,
            ending: .failed(death: number),
            subject: nil,
            time: now,
            traceparent: message.traceparent,
            data: FailureData(death)
        )
        return [burial, try event.outgoing(correlation: message.properties.correlationID).insertion()]
    }

    private func completion(of envelope: Envelope, _ success: Success) throws -> OutboxMessage {
        let event = CompletionEvent(
            job: envelope.id,
            kind: envelope.kind,
            ending: .completed,
            subject: success.subject,
            time: Date(),
            traceparent: envelope.message.traceparent,
            data: success.data
        )
        return try event.outgoing(correlation: envelope.message.properties.correlationID)
    }

    /// Keeps a message out of the way for a moment: its job, or what it needs alone, is in other hands.
    private func comeBack(_ envelope: Envelope) async throws {
        let delay = self.settings.busyDelay * Double.random(in: 0.5...1.5)
        let message = OutboxMessage(to: .jobs, routingKey: envelope.routingKey, envelope.message)
        try await self.database.commit([try message.insertion(after: delay)])
    }

    /// A message that can never become a job goes to the dead queue as it came.
    private func bury(_ malformed: Malformed, _ delivery: Delivery) async -> Verdict {
        let message = delivery.message
        guard message.body.count <= 16 << 20 else { return .reject }
        let job = message.properties.messageID.flatMap { JobID($0) }
        let kind = JobKind(message.properties.type ?? delivery.routingKey)
        let death = Death(.malformed, code: malformed.code, error: malformed.message)
        do {
            try await self.database.commit(
                try self.obituary(
                    death,
                    message,
                    exchange: delivery.exchange,
                    routingKey: delivery.routingKey,
                    job: job,
                    kind: kind,
                    death: DeadLetterHeader.replayCount(of: message) + 1
                )
            )
            KillPoint.committed.reach()
            self.logger.error(
                "a malformed message was buried",
                metadata: ["error.code": "\(malformed.code)", "error": "\(malformed.message)"]
            )
            return .acknowledge
        } catch {
            return error is Interrupted ? .giveBack : await self.putOff(delivery, because: error)
        }
    }

    /// Nothing could be recorded, and PostgreSQL is not away: a fault of ours.
    ///
    /// The queue counts how often.
    private func putOff(_ delivery: Delivery, because error: any Error) async -> Verdict {
        self.logger.error("a delivery could not be worked on and goes back", metadata: ["error": "\(error)"])
        try? await self.loop.sleep(for: .seconds(5))
        return .giveBack
    }
}

extension JobRunner {
    private func context(attempt: Int, for deadline: Duration, _ envelope: Envelope) -> JobContext {
        var logger = self.logger
        logger[metadataKey: "job.id"] = "\(envelope.id)"
        logger[metadataKey: "job.kind"] = "\(envelope.kind)"
        return JobContext(attempt: attempt, deadline: .now.advanced(by: deadline), logger: logger)
    }

    private func metadata(_ envelope: Envelope, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
        more.merging(["job.id": "\(envelope.id)", "job.kind": "\(envelope.kind)"]) { first, _ in first }
    }

    private func log(
        _ envelope: Envelope,
        fate: String,
        attempt: Int,
        _ reason: Reason? = nil,
        level: Logger.Level = .info,
    ) {
        var metadata = self.metadata(envelope, ["job.fate": "\(fate)", "job.attempt": "\(attempt)"])
        metadata["error.code"] = reason.map { "\($0.code)" }
        metadata["error"] = reason.map { "\($0.message)" }
        self.logger.log(level: level, "a job has ended its try", metadata: metadata)
    }
}
