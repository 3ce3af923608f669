/// What a cache of access knows and who waits for it: decisions only, no calls.
struct AccessState {
    typealias Waiter = CheckedContinuation<Result<AccessCache.Held, KubernetesError>, Never>

    private(set) var held: AccessCache.Held?
    /// What the next renewal should know.
    private(set) var complaint: AccessComplaint?
    private var lastSerial = 0
    private var isRenewing = false
    private var waiters: [UInt64: Waiter] = [:]
    private var lastWaiter: UInt64 = 0

    /// The way that will do at `now`; nil if a new one is wanted.
    func current(at now: ContinuousClock.Instant) -> AccessCache.Held? {
        guard let held else { return nil }
        return held.access.renewal.map { $0 > now } ?? true ? held : nil
    }

    /// A server has complained about this way; unless another has come since, the next caller asks for a new one.
    mutating func discard(_ used: AccessCache.Held?, because complaint: AccessComplaint) {
        guard let used, used.serial == self.held?.serial else { return }
        self.held = nil
        self.complaint = complaint
    }

    mutating func newWaiter() -> UInt64 {
        self.lastWaiter += 1
        return self.lastWaiter
    }

    /// Adds a waiter; true if it is the one to start a renewal.
    mutating func wait(_ id: UInt64, _ waiter: Waiter) -> Bool {
        self.waiters[id] = waiter
        defer { self.isRenewing = true }
        return !self.isRenewing
    }

    mutating func remove(_ id: UInt64) -> Waiter? { self.waiters.removeValue(forKey: id) }

    /// Notes the outcome of a renewal.
    ///
    /// A way that has only become old is used for a while longer if there is no new one.
    ///
    /// - Parameters:
    ///   - result: The new way, or why there is none.
    ///   - nextTry: When to ask again after a failure.
    /// - Returns: Those to resume, and with what.
    mutating func finish(
        with result: Result<ClusterAccess, KubernetesError>,
        nextTry: ContinuousClock.Instant
    ) -> (waiters: [Waiter], outcome: Result<AccessCache.Held, KubernetesError>) {
        self.isRenewing = false
        defer { self.waiters.removeAll() }
        let outcome: Result<AccessCache.Held, KubernetesError>
        switch result {
        case .success(let access):
            self.lastSerial += 1
            let held = AccessCache.Held(access: access, serial: self.lastSerial)
            (self.held, self.complaint) = (held, nil)
            outcome = .success(held)
        case .failure(let error):
            self.held?.access.renewal = nextTry
            outcome = self.held.map { .success($0) } ?? .failure(error)
        }
        return (Array(self.waiters.values), outcome)
    }
}
