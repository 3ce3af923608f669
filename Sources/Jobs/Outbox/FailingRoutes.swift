import Calls

/// The routes whose last messages the broker left unanswered, and when each is tried again.
///
/// A queue without a leader behind one of them must not hold up the messages of the others.
struct FailingRoutes: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Suspicion {
        var failures = 0
        var retryAt: Instant
    }

    private var suspicions: [OutboxRoute: Suspicion] = [:]

    private static let backoff = Backoff(base: .seconds(1), cap: .seconds(60), jitter: 1...1)

    /// More than there are; who invents keys does not fill the memory.
    private static let most = 512

    var all: [OutboxRoute] { Array(self.suspicions.keys) }

    func contains(_ route: OutboxRoute) -> Bool {
        !self.suspicions.isEmpty && self.suspicions[route] != nil
    }

    /// At most `count` of those whose time has come.
    func due(at now: Instant, atMost count: Int) -> [OutboxRoute] {
        let due = self.suspicions.filter { $0.value.retryAt <= now }
        return due.sorted { $0.value.retryAt < $1.value.retryAt }.prefix(count).map(\.key)
    }

    /// A message of that route was left unanswered; the pauses until the next attempt grow from a second to a minute.
    mutating func suspect(_ route: OutboxRoute, at now: Instant) {
        guard self.suspicions.count < Self.most || self.contains(route) else { return }
        var suspicion = self.suspicions[route] ?? Suspicion(retryAt: now)
        suspicion.failures += 1
        suspicion.retryAt = now + Self.backoff.bound(afterFailure: suspicion.failures)
        self.suspicions[route] = suspicion
    }

    /// The broker has answered for a message of that route, or there is none left; whether it was a suspect.
    @discardableResult
    mutating func clear(_ route: OutboxRoute) -> Bool { self.suspicions.removeValue(forKey: route) != nil }

    /// Another connection may do better.
    mutating func retryAll(at now: Instant) {
        for route in self.suspicions.keys { self.suspicions[route]?.retryAt = now }
    }
}
