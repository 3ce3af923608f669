import FoundationEssentials

/// What a cache of credentials knows and who waits for it: decisions only, no calls.
struct CredentialState {
    enum Need {
        /// The known keys will do.
        case none(AWSCredentials)
        /// New keys are wanted; the old ones, if any, will do if there is trouble.
        case renewal(AWSCredentials?)
    }

    private var known: AWSCredentials?
    private var nextAdvisoryRenewal = Date.distantPast
    private var isRenewing = false
    private var waiters: Set<Int> = []

    /// What a caller needs.
    ///
    /// - Parameters:
    ///   - now: The time.
    ///   - pause: Seconds until the next voluntary renewal if this one fails.
    /// - Returns: The keys, or that it should wait for new ones.
    mutating func need(at now: Date, nextTryIn pause: Double) -> Need {
        guard let known else { return .renewal(nil) }
        guard let left = known.expiration?.timeIntervalSince(now), left <= 15 * 60 else {
            return .none(known)
        }
        guard left > 10 * 60 else { return .renewal(known) }
        guard !self.isRenewing, now >= self.nextAdvisoryRenewal else { return .none(known) }
        self.nextAdvisoryRenewal = now.addingTimeInterval(pause)
        return .renewal(known)
    }

    mutating func discard(_ refused: AWSCredentials?) {
        if refused == self.known { self.known = nil }
    }

    /// Adds a waiter; true if it is the one to start a renewal.
    mutating func wait(_ number: Int) -> Bool {
        self.waiters.insert(number)
        defer { self.isRenewing = true }
        return !self.isRenewing
    }

    mutating func remove(_ number: Int) { self.waiters.remove(number) }

    /// Notes the outcome of a renewal; returns those to tell.
    mutating func finish(with result: Result<AWSCredentials, AWSError>) -> Set<Int> {
        self.isRenewing = false
        if case .success(let credentials) = result {
            self.known = credentials
            self.nextAdvisoryRenewal = .distantPast
        }
        defer { self.waiters.removeAll() }
        return self.waiters
    }
}
