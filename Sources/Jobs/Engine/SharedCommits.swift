import EventLoops
import Postgres
import Traces
import Tracing

/// Commits what several jobs write in one transaction: a commit costs PostgreSQL as much as many rows.
///
/// A job that comes while few commits are under way goes at once and alone. Others wait, and go together when one of
/// these is done, so that a transaction has the more jobs the more there is to do. Where something in it fails, nothing
/// of it has happened, and each of its jobs goes alone.
actor SharedCommits {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe self.loop.asUnownedSerialExecutor()
    }

    private let pool: PostgresPool
    private var waiting: [Member] = []
    private var underWay = 0

    /// How many commits may be under way before jobs wait for each other.
    private static let most = 4

    /// The most that goes together, in jobs and in bytes of their parameters.
    private static let largest = (jobs: 32, bytes: 256 << 10)

    /// How long a statement of several jobs may wait for a lock, for which all of them would wait.
    private static let lockTimeout: SQL = "SELECT set_config('lock_timeout', '100ms', true)"

    init(pool: PostgresPool, loop: EventLoop) {
        self.pool = pool
        self.loop = loop
    }

    private struct Member: Sendable {
        let statements: [SQL]
        let turn: CheckedContinuation<Turn, Never>
    }

    /// What a job that has waited is to do.
    private enum Turn: Sendable {
        case commit(with: [Member])
        case commitAlone
        /// Another has committed for it.
        case done([PostgresResult])
    }

    /// Commits the statements in one round trip; results come in their order.
    func commit(_ statements: [SQL]) async throws(PostgresError) -> [PostgresResult] {
        // A span of PostgreSQL belongs to the trace of one job.
        guard ServiceContext.current?.trace?.isSampled != true else {
            return try await self.pool.pipeline(statements)
        }
        guard self.underWay >= Self.most else {
            self.underWay += 1
            return try await self.commit(statements, with: [])
        }
        switch await self.turn(statements) {
        case .commit(let others): return try await self.commit(statements, with: others)
        case .commitAlone: return try await self.pool.pipeline(statements)
        case .done(let results): return results
        }
    }

    private func turn(_ statements: [SQL]) async -> Turn {
        await withCheckedContinuation { self.waiting.append(Member(statements: statements, turn: $0)) }
    }

    /// Commits for others too, and then lets those go on who have come meanwhile.
    private func commit(_ statements: [SQL], with others: [Member]) async throws(PostgresError)
        -> [PostgresResult]
    {
        defer { self.handOn() }
        guard !others.isEmpty else { return try await self.pool.pipeline(statements) }
        do {
            let all = [Self.lockTimeout] + statements + others.flatMap(\.statements)
            var results = try await self.pool.pipeline(all).dropFirst()
            let own = Array(results.prefix(statements.count))
            results = results.dropFirst(statements.count)
            for other in others {
                other.turn.resume(returning: .done(Array(results.prefix(other.statements.count))))
                results = results.dropFirst(other.statements.count)
            }
            return own
        } catch {
            for other in others { other.turn.resume(returning: .commitAlone) }
            return try await self.pool.pipeline(statements)
        }
    }

    private func handOn() {
        guard !self.waiting.isEmpty else {
            self.underWay -= 1
            return
        }
        var (count, bytes) = (0, 0)
        while count < min(self.waiting.count, Self.largest.jobs), bytes < Self.largest.bytes {
            bytes += self.waiting[count].statements.reduce(0) { $0 + $1.size }
            count += 1
        }
        let members = Array(self.waiting.prefix(count))
        self.waiting.removeFirst(count)
        members[0].turn.resume(returning: .commit(with: Array(members.dropFirst())))
    }
}
