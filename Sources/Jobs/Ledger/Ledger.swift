package import Postgres

/// The statements on `job_ledger`, by which a job happens once.
struct Ledger: Sendable {
    let pool: PostgresPool
    let worker: WorkerIdentity

    /// After so many starts without an outcome a job is poison, and need not wait to be found so.
    let maximumStarts: Int

    /// Takes the job if nobody else has it and it is not finished.
    ///
    /// The claim may be lost in a crash of PostgreSQL, which costs a repeat and never a job: it need not wait for the
    /// disk. A claim is free when its time is up or when its holder is dead (`is_dead_worker` in the schema). The same
    /// worker takes its own claim again without counting a start. Of the jobs that were running at two deaths already it
    /// holds one at a time, and these start again after growing pauses.
    func claim(
        _ envelope: Envelope,
        for duration: Duration,
        exclusiveKey: String?,
    ) async throws(PostgresError) -> ClaimOutcome {
        do {
            return try await self.tryToClaim(envelope, for: duration, exclusiveKey: exclusiveKey)
        } catch  where error.constraint == Self.exclusiveKeys {
            guard try await self.freeDeadHolders(of: exclusiveKey) else { return Self.held(exclusiveKey) }
        } catch  where error.constraint == Self.suspects {
            return .busy()
        }
        do {
            return try await self.tryToClaim(envelope, for: duration, exclusiveKey: exclusiveKey)
        } catch  where error.constraint == Self.exclusiveKeys {
            return Self.held(exclusiveKey)
        } catch  where error.constraint == Self.suspects {
            return .busy()
        }
    }

    private static func held(_ key: String?) -> ClaimOutcome { key.map { .held(key: $0) } ?? .busy() }

    /// The indexes that keep jobs apart which must not run together.
    private static let exclusiveKeys = "job_ledger_exclusive_key"
    private static let suspects = "job_ledger_suspect"

    private func tryToClaim(
        _ envelope: Envelope,
        for duration: Duration,
        exclusiveKey: String?,
    ) async throws(PostgresError) -> ClaimOutcome {
        let expiry = ContinuousClock.now + duration
        let results = try await self.pool.pipeline([
            "SELECT set_config('synchronous_commit', 'off', true)",
            """
            INSERT INTO job_ledger AS l
                (job_id, kind, state, starts, replays, worker, holder, started_at, claimed_until, exclusive_key,
                requested_by, broker_user)
            VALUES (\(envelope.id), \(envelope.kind.name), 'running', 1, \(envelope.replayCount),
                \(self.worker.name), \(self.worker.lock), now(), now() + \(duration.milliseconds)::bigint * interval '1 ms',
                \(exclusiveKey), \(envelope.requester.requestedBy), \(envelope.requester.brokerUser))
            ON CONFLICT (job_id) DO UPDATE SET
                state = 'running', kind = excluded.kind,
                starts = l.starts + (l.holder IS DISTINCT FROM excluded.holder)::integer,
                replays = greatest(l.replays, excluded.replays),
                previous_start = l.started_at, started_at = now(), worker = excluded.worker, holder = excluded.holder,
                claimed_until = excluded.claimed_until, exclusive_key = excluded.exclusive_key, finished_at = NULL,
                requested_by = coalesce(excluded.requested_by, l.requested_by),
                broker_user = coalesce(excluded.broker_user, l.broker_user)
            WHERE (l.state = 'dead' AND excluded.replays > l.replays)
                OR (l.state = 'running' AND l.holder = excluded.holder)
                OR ((l.starts >= \(self.maximumStarts) OR earliest_restart(l.starts, l.started_at) <= now())
                    AND ((l.state = 'waiting' AND l.turns <= \(envelope.turn))
                        OR (l.state = 'running' AND (l.claimed_until < now() OR is_dead_worker(l.holder)))))
            RETURNING starts, attempts, deaths, snoozes, turns, requested_by, broker_user,
                previous_start IS NOT NULL AS follows_unsettled_start,
                coalesce((extract(epoch FROM now() - waiting_since) * 1000)::bigint, 0) AS waited
            """,
            """
            SELECT state, turns, CASE WHEN starts BETWEEN 2 AND \(self.maximumStarts - 1) AND started_at IS NOT NULL
                THEN (extract(epoch FROM earliest_restart(starts, started_at) - now()) * 1000)::bigint ELSE 0 END AS pause
            FROM job_ledger WHERE job_id = \(envelope.id)
            """,
        ])
        if let row = results[1].rows.first { return .claimed(try Claim(envelope.id, row, until: expiry)) }
        guard let row = results[2].rows.first else { return .busy() }
        let state: String = try row.read("state")
        // A job that waits has a message of its own on the way, which says how often it has been put off.
        let turns: Int = try row.read("turns")
        let isOvertaken = state == "waiting" && turns > envelope.turn
        let pause: Int = try row.read("pause")
        return ["succeeded", "dead", "cancelled"].contains(state) || isOvertaken
            ? .finished(state: state) : .busy(atLeast: .milliseconds(max(0, pause)))
    }

    /// Lets the jobs of dead workers go that hold `key`; their messages come back by themselves.
    private func freeDeadHolders(of key: String?) async throws(PostgresError) -> Bool {
        let result = try await self.pool.run(
            """
            UPDATE job_ledger SET state = 'waiting', holder = NULL, claimed_until = NULL
            WHERE exclusive_key = \(key) AND state = 'running'
                AND (claimed_until < now() OR is_dead_worker(holder))
            """
        )
        return result.affectedRows > 0
    }

    /// Lets the next wait for `key` end, if nobody holds it: the one that was to have it does not want it any more.
    func passOn(_ key: String) async throws(PostgresError) {
        _ = try await self.pool.run(
            """
            SELECT end_longest_wait(\(key)::text)
            WHERE NOT EXISTS (SELECT FROM job_ledger WHERE exclusive_key = \(key)::text AND state = 'running')
            """
        )
    }

    /// Holds the job for longer; fails as `settle` does where another start has it by now.
    func renew(_ claim: Claim, for duration: Duration) async throws(PostgresError) -> Claim {
        var renewed = claim
        renewed.expiry = ContinuousClock.now + duration
        _ = try await self.pool.run(
            """
            SELECT renew_claim(\(claim.job)::uuid, \(self.worker.lock)::bigint, \(claim.start)::integer,
                now() + \(duration.milliseconds)::bigint * interval '1 ms')
            """
        )
        return renewed
    }

    /// Gives the claim back as if the job had not been started.
    func release(_ claim: Claim, within limit: Duration) async throws(PostgresError) {
        _ = try await self.pool.run(
            """
            UPDATE job_ledger SET state = 'waiting', starts = starts - 1, holder = NULL, claimed_until = NULL
            WHERE job_id = \(claim.job) AND state = 'running' AND holder = \(self.worker.lock)
                AND starts = \(claim.start)
            """,
            within: limit
        )
    }

    /// Moves the job to `state`, on condition that this start still holds it; else the transaction fails.
    func settle(_ claim: Claim, as state: String, usesAttempt: Bool, because reason: Reason? = nil) -> SQL {
        """
        SELECT settle_job(\(claim.job)::uuid, \(self.worker.lock)::bigint, \(claim.start)::integer, \(state)::text,
            \(usesAttempt)::boolean, \(reason?.code)::text, \(reason?.message)::text)
        """
    }

    /// Keeps a failed attempt for `jobs show`; nothing to do where there was none.
    func record(_ attempt: Attempt?, of claim: Claim) -> [SQL] {
        guard let attempt else { return [] }
        let duration = attempt.start.duration(to: .now).milliseconds
        return [
            """
            INSERT INTO job_attempts (job_id, attempt, started_at, fate, code, error)
            VALUES (\(claim.job), \(claim.attempt), now() - \(duration)::bigint * interval '1 ms',
                \(attempt.outcome.rawValue), \(attempt.reason.code), \(attempt.reason.message))
            """
        ]
    }

    /// The whole life of a fresh job that only writes rows; fails where the job has a row already.
    func succeedAtOnce(_ envelope: Envelope) -> SQL {
        """
        INSERT INTO job_ledger (job_id, kind, state, attempts, starts, worker, finished_at, requested_by, broker_user)
        VALUES (\(envelope.id), \(envelope.kind.name), 'succeeded', 1, 1, \(self.worker.name), now(),
            \(envelope.requester.requestedBy), \(envelope.requester.brokerUser))
        """
    }

    /// Keeps who asked for a job that could not be claimed yet; its message will not carry it again.
    ///
    /// Nothing to do where the broker has validated nobody, since all else travels with the message.
    func note(_ envelope: Envelope) -> [SQL] {
        guard let brokerUser = envelope.requester.brokerUser else { return [] }
        return [
            """
            INSERT INTO job_ledger (job_id, kind, state, requested_by, broker_user)
            VALUES (\(envelope.id), \(envelope.kind.name), 'waiting', \(envelope.requester.requestedBy), \(brokerUser))
            ON CONFLICT (job_id) DO NOTHING
            """
        ]
    }
}

extension Claim {
    fileprivate init(_ job: JobID, _ row: PostgresRow, until expiry: ContinuousClock.Instant)
        throws(PostgresError)
    {
        self.job = job
        self.expiry = expiry
        self.start = try row.read("starts")
        self.attempts = try row.read("attempts")
        self.deaths = try row.read("deaths")
        self.snoozes = try row.read("snoozes")
        self.turns = try row.read("turns")
        self.followsUnsettledStart = try row.read("follows_unsettled_start")
        self.requester = Requester(
            requestedBy: try row.readOptional("requested_by"),
            brokerUser: try row.readOptional("broker_user")
        )
        self.waited = .milliseconds(try row.read("waited", as: Int.self))
    }
}

extension JobID: PostgresBindable {
    package var postgresValue: PostgresValue { .text(self.description) }
}

extension PostgresError {
    /// Whether another worker has taken over the job (SQLSTATE GW001, raised by `settle_job`).
    var isClaimLost: Bool { self.sqlState == "GW001" }
}

extension Duration {
    /// In whole milliseconds, rounded down.
    var milliseconds: Int {
        let (seconds, attoseconds) = self.components
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}

extension JobID {
    /// Those of the jobs that the ledger has a row of, whatever became of them.
    package static func known(among jobs: [JobID], in database: PostgresPool) async throws -> Set<JobID> {
        let rows = try await database.run(
            "SELECT job_id::text AS job FROM job_ledger WHERE job_id = ANY(\(jobs.map(\.description))::text[]::uuid[])"
        ).rows
        return try Set(rows.compactMap { JobID(try $0.read("job", as: String.self)) })
    }
}
