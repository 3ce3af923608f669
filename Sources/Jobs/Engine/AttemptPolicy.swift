import Postgres

/// Decides what a fate, or a surprise instead of one, means for a job.
struct AttemptPolicy: Sendable {
    let settings: WorkerSettings

    /// How long the last call of a try that was cancelled may go on taking effect unseen.
    private static let settlingTime: Duration = .seconds(15)

    /// How long a job stays away under which PostgreSQL went away again and again.
    private static let pauseOfAbsence: Duration = .seconds(30)

    /// The ending that a handler's decision leads to.
    func ending(of fate: Outcome, _ claim: Claim) -> Ending {
        switch fate {
        case .success(let success): return .success(success, onConflict: nil)
        case .retry(let reason, let least): return self.retry(claim, reason, after: least)
        case .snooze(let delay, let reason): return self.snooze(claim, delay, reason)
        case .leftToOthers(let reason): return .leftToOthers(reason)
        case .rejected(let reason, let writes):
            let death = FinalFailure(
                .rejected,
                code: reason.code,
                error: reason.message,
                attempts: claim.attempt
            )
            return .dead(death, triedInVain: reason, writes: writes)
        }
    }

    /// The one table that decides which surprises are worth another attempt.
    ///
    /// Throws `Interrupted` where the surprise is only that the worker ends.
    func fate(after surprise: any Error) throws(Interrupted) -> Outcome {
        if surprise is Interrupted || Task.isCancelled { throw Interrupted() }
        switch surprise {
        case is DeadlineExceeded:
            let reason = Reason("deadline-exceeded", "the try took longer than it may")
            return .retry(reason, after: Self.settlingTime)
        case let away as DatabaseAway:
            return .snooze(Self.pauseOfAbsence, Reason("database-away", "\(away.underlying)"))
        case is WriteConflict:
            return .retry(
                Reason("row-changed", "a row that the job had read was changed before it could write")
            )
        case let failure as any DescribedFailure:
            let reason = Reason(failure.failureCode, "\(failure)")
            guard failure.isWorthAnotherTry else { return .rejected(reason) }
            return .retry(reason, after: failure.waitBeforeNextTry ?? .zero)
        case let error as PostgresError:
            return .retry(Reason(error.constraint ?? error.sqlState ?? error.code.rawValue, "\(error)"))
        default:
            return .retry(Reason("unexpected", "\(surprise)"))
        }
    }

    private func retry(_ claim: Claim, _ reason: Reason, after least: Duration) -> Ending {
        var random = SystemRandomNumberGenerator()
        guard let delay = self.settings.retries.delay(afterAttempt: claim.attempt, using: &random) else {
            let death = FinalFailure(
                .exhausted,
                code: reason.code,
                error: reason.message,
                attempts: claim.attempt
            )
            return .dead(death, triedInVain: reason)
        }
        return .again(after: max(delay, least), reason, usesAttempt: true)
    }

    /// A death if the job has been started too often without any ending: it seems to kill its worker.
    func poison(_ claim: Claim) -> Ending? {
        guard claim.start > self.settings.maximumStarts else { return nil }
        let error = "\(claim.start - 1) starts ended without any outcome: the job seems to kill its worker"
        return .dead(FinalFailure(.poison, error: error, attempts: claim.attempts), triedInVain: nil)
    }

    /// A kind that no one here knows may be known to a newer replica, so the job waits a few times.
    func unknownKind(_ kind: JobKind, known: [String], _ claim: Claim) -> Ending {
        let names = known.joined(separator: ", ")
        let reason = Reason("unknown-kind", "no handler for \(kind) here; known are \(names)")
        let steps = self.settings.unknownKindSteps
        guard claim.snoozes < steps else {
            return .dead(
                FinalFailure(.unknownKind, code: reason.code, error: reason.message),
                triedInVain: nil
            )
        }
        return .again(after: self.settings.unknownKindWait / steps, reason, usesAttempt: false)
    }

    /// How long a job stays away that this replica has no settings for; nil if it has come in vain too often.
    ///
    /// Many short pauses: while replicas with other settings take from the same queue, it soon meets one of them.
    func pause(afterVisitsInVain visits: Int) -> Duration? {
        visits <= Self.mostVisitsInVain ? self.settings.unknownKindWait / Self.mostVisitsInVain : nil
    }

    static let mostVisitsInVain = 30

    private func snooze(_ claim: Claim, _ delay: Duration, _ reason: Reason) -> Ending {
        guard claim.waited < self.settings.maximumSnooze else {
            let error = "waited \(claim.waited) in vain: \(reason.message)"
            let death = FinalFailure(.exhausted, code: reason.code, error: error, attempts: claim.attempts)
            return .dead(death, triedInVain: nil)
        }
        return .again(after: delay, reason, usesAttempt: false)
    }
}
