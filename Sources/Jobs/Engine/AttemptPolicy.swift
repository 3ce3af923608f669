import Postgres

/// Decides what the end of an attempt means for its job.
struct AttemptPolicy: Sendable {
    let settings: WorkerSettings

    /// How long the last call of an attempt that was cancelled may go on taking effect unseen.
    private static let settlingTime: Duration = .seconds(15)

    /// How long a job stays away under which PostgreSQL went away again and again.
    private static let pauseOfAbsence: Duration = .seconds(30)

    /// What to record where an attempt has thrown `error`.
    ///
    /// Throws `Interrupted` where that only says that the worker ends.
    func outcome(after error: any Error, _ claim: Claim) throws(Interrupted) -> Outcome {
        switch try Self.conclusion(from: error) {
        case .retry(let reason, let least): return self.retry(claim, reason, after: least)
        case .snooze(let delay, let reason): return self.snooze(claim, delay, reason)
        case .leftToOthers(let reason): return .leftToOthers(reason)
        case .rejected(let reason, let writes):
            let failure = FinalFailure(
                .rejected,
                code: reason.code,
                error: reason.message,
                attempts: claim.attempt
            )
            return .dead(failure, triedInVain: reason, writes: writes)
        }
    }

    /// The handler's own conclusion, or the one table that decides which errors are worth another attempt.
    private static func conclusion(from error: any Error) throws(Interrupted) -> Conclusion {
        if let conclusion = error as? Conclusion { return conclusion }
        if error is Interrupted || Task.isCancelled { throw Interrupted() }
        switch error {
        case is DeadlineExceeded:
            let reason = Reason("deadline-exceeded", "the attempt took longer than it may")
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
            return .retry(Reason("unexpected", "\(error)"))
        }
    }

    private func retry(_ claim: Claim, _ reason: Reason, after least: Duration) -> Outcome {
        var random = SystemRandomNumberGenerator()
        let retries = claim.retries ?? self.settings.retries
        guard let delay = retries.delay(afterAttempt: claim.attempt, using: &random) else {
            let failure = FinalFailure(
                .exhausted,
                code: reason.code,
                error: reason.message,
                attempts: claim.attempt
            )
            return .dead(failure, triedInVain: reason)
        }
        return .again(after: max(delay, least), reason, usesAttempt: true)
    }

    /// A kind that no one here knows may be known to a newer replica, so the job waits a few times.
    func unknownKind(_ kind: JobKind, known: [String], _ claim: Claim) -> Outcome {
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

    private func snooze(_ claim: Claim, _ delay: Duration, _ reason: Reason) -> Outcome {
        guard claim.waited < self.settings.maximumSnooze else {
            let error = "waited \(claim.waited) in vain: \(reason.message)"
            let failure = FinalFailure(.exhausted, code: reason.code, error: error, attempts: claim.attempts)
            return .dead(failure, triedInVain: nil)
        }
        return .again(after: delay, reason, usesAttempt: false)
    }
}
