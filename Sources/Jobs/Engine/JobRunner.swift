import EventLoops
import Logging
import Postgres
import RabbitMQ
import Tracing

/// Takes one delivery to its end: claims the job, runs its handler, has the outcome recorded.
///
/// What a kind does is in its handler, what its end means `AttemptPolicy` decides, and `OutcomeRecorder` records it. It
/// has no state and runs on its consumer's loop, so that nothing changes actors on the way.
final class JobRunner: Sendable {
    private let loop: EventLoop
    private let kinds: KindTable
    private let settings: WorkerSettings
    private let topology: Topology
    private let ledger: Ledger
    private let session: WorkerSession
    private let database: RetryingDatabase
    private let policy: AttemptPolicy
    private let health: WorkerHealth
    private let metrics: JobMetrics
    private let traces: JobTraces
    private let recorder: OutcomeRecorder
    private let logger: Logger

    /// How long a claim outlasts the deadline of an attempt.
    private static let marginOfClaims: Duration = .seconds(10)

    init(
        kinds: KindTable,
        settings: WorkerSettings,
        topology: Topology,
        ledger: Ledger,
        session: WorkerSession,
        database: RetryingDatabase,
        relay: OutboxRelay,
        health: WorkerHealth,
        metrics: JobMetrics,
        tracer: (any Tracer)?,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.kinds = kinds
        self.settings = settings
        self.topology = topology
        self.ledger = ledger
        self.session = session
        self.database = database
        self.policy = AttemptPolicy(settings: settings)
        self.health = health
        self.metrics = metrics
        self.traces = JobTraces(tracer: tracer)
        self.recorder = OutcomeRecorder(
            topology: topology,
            ledger: ledger,
            database: database,
            shared: SharedCommits(pool: database.pool, loop: loop),
            relay: relay,
            policy: self.policy,
            metrics: metrics,
            logger: logger
        )
        self.loop = loop
        self.logger = logger
    }

    /// How a delivery is settled with the queue.
    enum Verdict: Sendable {
        case acknowledge, giveBack, reject
    }

    /// Works on one delivery for as long as it takes; no other of its job may be worked on meanwhile.
    func verdict(on content: Result<Envelope, Malformed>, of delivery: Delivery) async -> Verdict {
        KillPoint.delivered.reach()
        return await self.verdict(on: delivery) {
            do {
                let envelope = try content.get()
                return try await self.traces.following(envelope) { try await self.run(envelope) }
            } catch let malformed as Malformed {
                // PostgreSQL cannot take what holds a NUL: the broker alone must dead-letter it.
                guard !delivery.holdsNUL else { return .reject }
                try await self.recorder.deadLetter(DeadLettering(malformed, of: delivery, in: self.topology))
                return delivery.isPassedOver ? .reject : .acknowledge
            }
        }
    }

    /// Lets a job that need not be worked on now come back after about `pause`.
    func postpone(_ envelope: Envelope, of delivery: Delivery, for pause: Duration) async -> Verdict {
        await self.verdict(on: delivery) {
            if envelope.waitsSince != nil,
                case .acting(let key, _, _)? = try? self.kinds[envelope.kind]?.prepare(envelope.body)
            {
                try await self.passOn(key, by: envelope)
            }
            try await self.recorder.comeBack(envelope, after: pause)
            return .acknowledge
        }
    }

    private func verdict(on delivery: Delivery, _ find: () async throws -> Verdict) async -> Verdict {
        do {
            return try await find()
        } catch is Interrupted {
            return .giveBack
        } catch {
            return await self.requeue(delivery, because: error)
        }
    }

    /// Nothing could be recorded although PostgreSQL is there: a fault of ours, and the queue counts how often.
    private func requeue(_ delivery: Delivery, because error: any Error) async -> Verdict {
        self.logger.error("delivery failed, requeued", metadata: ["error": "\(error)"])
        try? await self.loop.sleep(for: .seconds(5))
        return .giveBack
    }
}

extension JobRunner {
    private func run(_ envelope: Envelope) async throws -> Verdict {
        let metrics = self.metrics[envelope.kind]
        metrics.begins()
        defer { metrics.ends() }
        guard let kind = self.kinds[envelope.kind] else {
            return try await self.claimAndRecord(envelope) { claim in
                self.policy.unknownKind(envelope.kind, known: self.kinds.names, claim)
            }
        }
        do {
            return try await self.run(envelope, kind, try kind.prepare(envelope.body))
        } catch let faults as PayloadFaults {
            return try await self.claimAndRecord(envelope) { _ in
                .dead(
                    FinalFailure(.invalidPayload, code: "payload", error: faults.description),
                    triedInVain: nil
                )
            }
        }
    }

    private func run(_ envelope: Envelope, _ kind: RegisteredKind, _ prepared: PreparedJob) async throws
        -> Verdict
    {
        switch prepared {
        case .acting(let key, let onDeath, let act):
            let deadline = kind.deadline ?? self.settings.deadline
            return try await self.claimAndRecord(
                envelope,
                exclusiveKey: key,
                deadline: deadline,
                retries: kind.retries,
                onDeath: onDeath
            ) { claim in
                try await self.outcome(of: claim, renewing: deadline + Self.marginOfClaims) { claim in
                    let limit = try self.timeLeft(of: claim, atMost: deadline)
                    let context = self.context(of: envelope, claim, limit)
                    let number = self.health.beginTry(until: context.deadline)
                    defer { self.health.endTry(number) }
                    defer { KillPoint.acted.reach() }
                    return try await self.session.whileTrusted {
                        try await withDeadline(of: limit, on: self.loop) {
                            InjectedFault.strike(claim.job)
                            return try await act(claim.job, context)
                        }
                    }
                }
            }
        case .writing(let record, let resolve):
            let first = self.context(of: envelope, nil, self.settings.deadline)
            let start = ContinuousClock.now
            if !envelope.isRedelivered, envelope.replayCount == 0,
                try await self.recorder.recordAtOnce(envelope, record(envelope.id, first), since: start)
            {
                self.metrics.started(envelope)
                return .acknowledge
            }
            return try await self.claimAndRecord(envelope) { claim in
                let context = self.context(of: envelope, claim, self.settings.deadline)
                return .success(record(claim.job, context)) { conflict in
                    try await self.outcome(of: claim) { claim in
                        try await resolve(conflict, claim.job, context, self.database.pool)
                    }
                }
            }
        }
    }

    /// Claims the job, lets `decide` find the outcome, and records it; again from the start if the claim was lost.
    private func claimAndRecord(
        _ envelope: Envelope,
        exclusiveKey: String? = nil,
        deadline: Duration = .seconds(30),
        retries: RetrySchedule? = nil,
        onDeath: @escaping @Sendable (Reason) -> [Write] = { _ in [] },
        _ decide: (Claim) async throws -> Outcome,
    ) async throws -> Verdict {
        while true {
            let answer = try await self.database.persist {
                try await self.session.waitUntilHeld()
                return try await self.ledger.claim(
                    envelope,
                    for: deadline + Self.marginOfClaims,
                    exclusiveKey: exclusiveKey
                )
            }
            switch answer {
            case .finished(let state):
                try await self.passOn(exclusiveKey, by: envelope)
                self.drop(envelope, since: state)
                return .acknowledge
            case .busy(let pause):
                JobTraces.ended(as: "busy")
                try await self.passOn(exclusiveKey, by: envelope)
                try await self.recorder.comeBack(envelope, after: max(self.settings.busyDelay, pause))
                return .acknowledge
            case .held(let key):
                JobTraces.ended(as: "busy")
                try await self.recorder.park(envelope, until: key, limit: self.settings.longestPark)
                return .acknowledge
            case .claimed(var claim):
                claim.retries = retries
                claim.onDeath = onDeath
                KillPoint.claimed.reach()
                if claim.isFirst { self.metrics.started(envelope) }
                if try await self.decideAndRecord(claim, envelope, decide) { return .acknowledge }
            }
        }
    }

    /// Whoever waited for a key and does not take it leaves it to the next.
    private func passOn(_ key: String?, by envelope: Envelope) async throws {
        guard let key, envelope.waitsSince != nil else { return }
        try await self.database.persist { try await self.ledger.passOn(key) }
    }

    /// Reports a message whose job needs nothing any more, or has another that says the same.
    func drop(_ envelope: Envelope, since state: String = "running") {
        let isCancelled = state == "cancelled"
        let metadata = envelope.metadata.merging(["job.state": "\(state)"]) { $1 }
        self.logger.info(
            isCancelled ? "a cancelled job was dropped" : "a duplicate was dropped",
            metadata: metadata
        )
        if isCancelled {
            self.metrics[envelope.kind].cancelled()
        } else {
            self.metrics[envelope.kind].duplicated()
        }
        JobTraces.ended(as: isCancelled ? state : "duplicate")
    }

    /// False if the claim was lost on the way.
    private func decideAndRecord(
        _ claim: Claim,
        _ envelope: Envelope,
        _ decide: (Claim) async throws -> Outcome,
    ) async throws -> Bool {
        do {
            let start = ContinuousClock.now
            if claim.isSuspect { self.metrics[envelope.kind].isolated() }
            let outcome: Outcome
            if let poison = self.policy.poison(claim) {
                outcome = poison
            } else {
                outcome = try await decide(claim)
            }
            try await self.recorder.record(outcome, claim, envelope, since: start)
            return true
        } catch let error as PostgresError where error.isClaimLost {
            self.logger.warning("the claim was lost to another worker", metadata: envelope.metadata)
            self.reportInterruption(of: envelope)
            return false
        } catch is SessionLapsed {
            // Nobody else has it yet, so that this worker goes on with it once it is seen again.
            self.logger.warning(
                "an attempt was interrupted: this worker was not seen",
                metadata: envelope.metadata
            )
            self.reportInterruption(of: envelope)
            return false
        } catch is Interrupted {
            await self.database.release(claim, in: self.ledger)
            self.reportInterruption(of: envelope)
            throw Interrupted()
        }
    }

    private func reportInterruption(of envelope: Envelope) {
        self.metrics[envelope.kind].interrupted()
        JobTraces.ended(as: "interrupted")
    }

    /// The outcome of an attempt; repeated in place, a few times, where PostgreSQL was away.
    ///
    /// - Parameter duration: How long the claim is held anew for each repetition.
    private func outcome(
        of claim: Claim,
        renewing duration: Duration? = nil,
        _ attempt: (Claim) async throws -> Success,
    ) async throws -> Outcome {
        var held: Claim? = claim
        do {
            let success = try await self.database.attempt {
                if held == nil, let duration {
                    held = try await self.database.persist {
                        try await self.session.waitUntilHeld()
                        return try await self.ledger.renew(claim, for: duration)
                    }
                }
                defer { held = nil }
                return try await attempt(held ?? claim)
            }
            return .success(success, onConflict: nil)
        } catch let lapse as SessionLapsed {
            throw lapse
        } catch let error as PostgresError where error.isClaimLost {
            throw error
        } catch {
            return try self.policy.outcome(after: error, claim)
        }
    }

    /// How long an attempt may take: no longer than the claim surely lasts, however long it took to get it.
    private func timeLeft(of claim: Claim, atMost deadline: Duration) throws(SessionLapsed) -> Duration {
        let left = ContinuousClock.now.duration(to: claim.expiry) - Self.marginOfClaims / 2
        guard left > .zero else { throw SessionLapsed() }
        return min(deadline, left)
    }

    private func context(of envelope: Envelope, _ claim: Claim?, _ limit: Duration) -> JobContext {
        JobContext(
            attempt: claim?.attempt ?? 1,
            followsUnsettledStart: claim?.followsUnsettledStart ?? false,
            waited: claim?.waited ?? .zero,
            deadline: .now.advanced(by: limit),
            isDryRun: self.settings.isDryRun,
            logger: self.logger,
            metadata: envelope.metadata
        )
    }
}
