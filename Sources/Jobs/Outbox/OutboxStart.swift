/// Where looks at the outbox begin, in the order of the times when rows are due.
///
/// A row that is gone keeps its entry in the index for as long as somebody's snapshot may see it. While pg_dump or a long
/// report holds one, a look from the beginning walks over all that was published since. As soon as that is slow, looks
/// begin where the oldest row was found that is due, which is searched for beside them, and for a twentieth of the time at
/// most. A row that a long transaction has committed with an earlier time is found by that search.
struct OutboxStart: Sendable {
    /// Seconds since 1970, by PostgreSQL's clock.
    private(set) var time = -Double.infinity
    /// When the oldest row is searched for again; nil while looks begin at the beginning.
    private var nextSearch: ContinuousClock.Instant?

    private static let slow: Duration = .milliseconds(20)
    private static let quick: Duration = .milliseconds(5)

    /// Notes how long a look took.
    mutating func looked(for duration: Duration, at now: ContinuousClock.Instant) {
        if self.nextSearch == nil, duration > Self.slow { self.nextSearch = now }
    }

    func isSearchDue(at now: ContinuousClock.Instant) -> Bool { self.nextSearch.map { $0 <= now } ?? false }

    /// Notes what a search has found, how long it took, and when it ended; whether a row lies before what looks have seen.
    mutating func found(_ time: Double, in duration: Duration, at now: ContinuousClock.Instant) -> Bool {
        let isEarlier = time < self.time
        let isQuick = duration < Self.quick
        self.time = isQuick ? -.infinity : time
        self.nextSearch = isQuick ? nil : now + duration * 20
        return isEarlier
    }
}
