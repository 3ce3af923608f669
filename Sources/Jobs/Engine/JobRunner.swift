import EventLoops
import Logging
import Postgres
import RabbitMQ
import Tracing

/// Takes one delivery to its end: claims the job, runs its handler, has its ending recorded.
///
/// The steps are those of the path of a job. What a kind does is in its handler, what an outcome means is the judge's
/// to say, and the recorder writes it down. Everything runs on the job loop.
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
    private let judge: Judge
    private let health: WorkerHealth
    private let metrics: JobMetrics
    private let traces: JobTraces
    private let recorder: Recorder
    private let logger: Logger

    /// Jobs that run here now, with the deliveries of the same job that wait for them.
    private var running: [JobID: [CheckedContinuation<Void, Never>]] = [:]

    /// The largest body that goes through the outbox.
    private static let largestBody = 16 << 20

    /// How long a claim outlasts the deadline of a try.
    private static let marginOfClaims: Duration = .seconds(10)

    init(
        kinds: KindTable,
        settings: WorkerSettings,
        ledger: Ledger,
        session: WorkerSession,
        database: PatientDatabase,
        relay: OutboxRelay,
        health: WorkerHealth,
        metrics: JobMetrics,
        tracer: (any Tracer)?,
        loop: EventLoop,
        logger: Logger,
    ) {
        self.kinds = kinds
        self.settings = settings
        self.ledger = ledger
        self.session = session
        self.database = database
        self.judge = Judge(settings: settings)
        self.health = health
        self.metrics = metrics
        self.traces = JobTraces(tracer: tracer)
        self.recorder = Recorder(
            ledger: ledger,
            database: database,
            relay: relay,
            judge: self.judge,
            metrics: metrics,
            logger: logger
        )
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
            do {
                let envelope = try Envelope(delivery)
                return try await self.alone(with: envelope.id) {
                    try await self.traces.following(envelope) { try await self.run(envelope) }
                }
            } catch let malformed as Malformed {
                guard self.outboxTakes(delivery) else { return .reject }
                try await self.recorder.bury(Obituary(malformed, of: delivery))
                return .acknowledge
            }
        } catch is Interrupted {
            return .giveBack
        } catch {
            return await self.putOff(delivery, because: error)
        }
    }

    /// What the outbox cannot take the broker itself must bury.
    private func outboxTakes(_ delivery: Delivery) -> Bool {
        delivery.message.body.count <= Self.largestBody && !delivery.holdsNUL
    }

    /// Nothing could be recorded although PostgreSQL is there: a fault of ours, and the queue counts how often.
    private func putOff(_ delivery: Delivery, because error: any Error) async -> Verdict {
        self.logger.error("a delivery could not be worked on and goes back", metadata: ["error": "\(error)"])
        try? await self.loop.sleep(for: .seconds(5))
        return .giveBack
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
        self.metrics[envelope.kind].begins()
        defer { self.metrics[envelope.kind].ends() }
        guard let kind = self.kinds[envelope.kind] else {
            return try await self.claimAndRecord(envelope) { claim in
                self.judge.unknownKind(envelope.kind, known: self.kinds.names, claim)
            }
        }
        do {
            return try await self.run(envelope, kind, try kind.prepare(envelope.message.body))
        } catch let faults as PayloadFaults {
            return try await self.claimAndRecord(envelope) { _ in
                .dead(Death(.invalidPayload, code: "payload", error: faults.description), triedInVain: nil)
            }
        }
    }

    private func run(_ envelope: Envelope, _ kind: RegisteredKind, _ prepared: PreparedJob) async throws
        -> Verdict
    {
        switch prepared {
        case .acting(let key, let act):
            let deadline = kind.deadline ?? self.settings.deadline
            return try await self.claimAndRecord(envelope, exclusiveKey: key, deadline: deadline) { claim in
                try await self.judged(claim) {
                    let context = self.context(of: envelope, claim, deadline)
                    let number = self.health.beginTry(until: context.deadline)
                    defer { self.health.endTry(number) }
                    let fate = try await withDeadline(of: deadline, on: self.loop) {
                        Misbehaviour.strike(claim.job)
                        return try await act(claim.job, context)
                    }
                    KillPoint.acted.reach()
                    return fate
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
                    try await self.judged(claim) {
                        try await resolve(conflict, claim.job, context, self.database.pool)
                    }
                }
            }
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
                    for: deadline + Self.marginOfClaims,
                    exclusiveKey: exclusiveKey
                )
            }
            switch outcome {
            case .finished(let state):
                self.drop(envelope, since: state)
                return .acknowledge
            case .busy:
                JobTraces.ended(as: "busy")
                try await self.recorder.comeBack(envelope, after: self.settings.busyDelay)
                return .acknowledge
            case .claimed(let claim):
                KillPoint.claimed.reach()
                if claim.isFirst { self.metrics.started(envelope) }
                if try await self.decideAndRecord(claim, envelope, decide) { return .acknowledge }
            }
        }
    }

    /// Tells of a message whose job needs nothing any more.
    private func drop(_ envelope: Envelope, since state: String) {
        let isCancelled = state == "cancelled"
        let metadata = envelope.metadata.merging(["job.state": "\(state)"]) { $1 }
        self.logger.info(
            isCancelled ? "a cancelled job was dropped" : "a duplicate was dropped",
            metadata: metadata
        )
        if isCancelled {
            self.metrics[envelope.kind].cancelled()
        } else {
            self.metrics[envelope.kind].count("gpudev_duplicates_total")
        }
        JobTraces.ended(as: isCancelled ? state : "duplicate")
    }

    /// False if the claim was lost on the way.
    private func decideAndRecord(
        _ claim: Claim,
        _ envelope: Envelope,
        _ decide: (Claim) async throws -> Ending,
    ) async throws -> Bool {
        do {
            let start = ContinuousClock.now
            if claim.isSuspect { self.metrics[envelope.kind].isolated() }
            let ending: Ending
            if let poison = self.judge.poison(claim) {
                ending = poison
            } else {
                ending = try await decide(claim)
            }
            try await self.recorder.record(ending, claim, envelope, since: start)
            return true
        } catch let error as PostgresError where error.isClaimLost {
            self.logger.warning("the claim was lost to another worker", metadata: envelope.metadata)
            self.tellInterruption(of: envelope)
            return false
        } catch is Interrupted {
            await self.database.release(claim, in: self.ledger)
            self.tellInterruption(of: envelope)
            throw Interrupted()
        }
    }

    private func tellInterruption(of envelope: Envelope) {
        self.metrics[envelope.kind].interrupted()
        JobTraces.ended(as: "interrupted")
    }

    /// The ending that a try leads to, with a surprise judged too; repeated in place while PostgreSQL is away.
    private func judged(_ claim: Claim, _ attempt: () async throws -> Fate) async throws -> Ending {
        do {
            return self.judge.ending(of: try await self.database.persist(attempt), claim)
        } catch {
            return self.judge.ending(of: try self.judge.fate(after: error), claim)
        }
    }

    private func context(of envelope: Envelope, _ claim: Claim?, _ limit: Duration) -> JobContext {
        var logger = self.logger
        for (key, value) in envelope.metadata { logger[metadataKey: key] = value }
        return JobContext(
            attempt: claim?.attempt ?? 1,
            followsUnsettledStart: claim?.followsUnsettledStart ?? false,
            waited: claim?.waited ?? .zero,
            deadline: .now.advanced(by: limit),
            isDryRun: self.settings.isDryRun,
            logger: logger
        )
    }
}
