package import EventLoops
import MetricFamilies
import Metrics
import Synchronization

/// What a worker knows of itself: whether it has all that it needs, and whether it moves.
///
/// The parts of the worker say what they see, from any thread; whoever asks never waits for them, since a worker that
/// hangs must be able to tell.
package final class WorkerHealth: Sendable {
    /// What has to be there for jobs to be taken.
    package enum Condition: String, Sendable, CaseIterable {
        case jobsConnection = "jobs-connection"
        case relayConnection = "relay-connection"
        case database, schema
    }

    /// One thing that was looked at, and what is wrong with it.
    package struct Check: Sendable, Equatable {
        package let name: String
        /// Nil if nothing is.
        package let trouble: String?
    }

    private struct State {
        var troubles = Dictionary(uniqueKeysWithValues: Condition.allCases.map { ($0, "not there yet") })
        /// Why the queues are not consumed that are not.
        var unconsumed: [String: String] = [:]
        var isDraining = false
        var relayMoved: ContinuousClock.Instant?
        /// When the attempts that run now must have ended, by an arbitrary number.
        var deadlines: [Int: ContinuousClock.Instant] = [:]
        var lastTry = 0
    }

    private let state = Mutex(State())
    private let loops: [EventLoop]
    private let stallLimit: Duration

    /// - Parameters:
    ///   - loops: Those that must move.
    ///   - stallLimit: How long they, the relay and an overdue try may stand still.
    package init(loops: [EventLoop], stallLimit: Duration = .seconds(30)) {
        self.loops = loops
        self.stallLimit = stallLimit
        for condition in Condition.allCases { Self.report(condition, isMet: false) }
    }

    private static let conditions = GaugeFamily(
        "gpudev_ready",
        """
        The conditions of /readyz: each connection to RabbitMQ is up, PostgreSQL takes writes, the schema \
        is current.
        """
    )

    private static func report(_ condition: Condition, isMet: Bool) {
        Self.conditions([("condition", condition.rawValue)]).set(isMet ? 1 : 0)
    }

    /// Notes that a condition is met.
    package func note(_ condition: Condition) {
        self.state.withLock { $0.troubles[condition] = nil }
        Self.report(condition, isMet: true)
    }

    /// Notes that a condition is not met, and why not.
    package func note(_ condition: Condition, lacking trouble: String) {
        self.state.withLock { $0.troubles[condition] = trouble }
        Self.report(condition, isMet: false)
    }

    /// Notes whether a queue is consumed, and if not, why not; the connections for jobs are there when all queues are.
    func note(_ queue: String, lacking trouble: String?) {
        let unconsumed = self.state.withLock { state in
            state.unconsumed[queue] = trouble
            return state.unconsumed.sorted { $0.key < $1.key }
        }
        guard !unconsumed.isEmpty else { return self.note(.jobsConnection) }
        let queues = unconsumed.map { "\($0): \($1)" }.joined(separator: "; ")
        self.note(.jobsConnection, lacking: "RabbitMQ hands out nothing of \(queues)")
    }

    /// Whether jobs are taken: each condition, and that the worker does not end.
    package func readiness() -> [Check] {
        self.state.withLock { state in
            Condition.allCases.map { Check(name: $0.rawValue, trouble: state.troubles[$0]) }
                + [Check(name: "draining", trouble: state.isDraining ? "the worker ends" : nil)]
        }
    }

    /// Whether the loops, the relay and the attempts move, whoever else is away; if not, only a restart helps.
    package func liveness() -> [Check] {
        let loops = self.loops.map { loop in
            Check(name: "\(loop.name)-loop", trouble: self.stall(loop.busyTime, "one turn has lasted"))
        }
        let (relayMoved, deadline) = self.state.withLock { ($0.relayMoved, $0.deadlines.values.min()) }
        let now = ContinuousClock.now
        return loops + [
            Check(
                name: "relay",
                trouble: relayMoved.flatMap { self.stall(now - $0, "it has not moved for") }
            ),
            Check(
                name: "tries",
                trouble: deadline.flatMap { self.stall(now - $0, "one is past its deadline by") }
            ),
        ]
    }

    private func stall(_ time: Duration, _ what: String) -> String? {
        time > self.stallLimit ? "\(what) \(time.components.seconds) s" : nil
    }
}

extension WorkerHealth {
    func drain() { self.state.withLock { $0.isDraining = true } }

    /// The relay has come one step further.
    func relayMoves() { self.state.withLock { $0.relayMoved = .now } }

    /// The relay has no connection, and nothing to do.
    func relayRests() { self.state.withLock { $0.relayMoved = nil } }

    /// A try begins that must have ended by `deadline`; the result ends it.
    func beginTry(until deadline: ContinuousClock.Instant) -> Int {
        self.state.withLock { state in
            state.lastTry += 1
            state.deadlines[state.lastTry] = deadline
            return state.lastTry
        }
    }

    func endTry(_ number: Int) { self.state.withLock { $0.deadlines[number] = nil } }
}
