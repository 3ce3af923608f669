import Foundation
import Postgres
import Synchronization

/// Many worlds, some at a time.
package struct Worlds: Sendable {
    /// How many, and from which seed on.
    package let count: UInt64
    package let seed: UInt64
    /// Whether somebody has said how many; then they take as long as they take.
    package let isAskedFor: Bool

    /// As `WORLDS` and `WORLDS_SEED` say.
    package init() {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["WORLDS"].flatMap { UInt64($0) }
        self.count = count ?? Self.usualCount
        self.isAskedFor = count != nil
        self.seed = environment["WORLDS_SEED"].flatMap { UInt64($0) } ?? 1
    }

    private static let usualCount: UInt64 = 500
    /// On a slow machine fewer have to do.
    private static let usualTime: Duration = .seconds(60)

    private struct Progress {
        var next: UInt64 = 0
        var worlds = 0
        var steps = 0
        var broken: [BrokenWorld] = []
    }

    private static let places = 3
    /// Each world leaves its rows behind as dead ones.
    private static let vacuum: SQL =
        "VACUUM disks, reservations, job_attempts, job_ledger, outbox, snapshot_deletions"
    private static let worldsBetweenVacuums: UInt64 = 50
    /// More than so many broken worlds tell nothing new.
    private static let mostBroken = 20

    /// Makes them all; those that break a rule, in no order, and a line of figures.
    package func run() async throws -> (broken: [BrokenWorld], figures: String) {
        let progress = Shared(Progress())
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.places {
                group.addTask { try await Place.with { try await self.work(in: $0, since: start, progress) } }
            }
            try await group.waitForAll()
        }
        let end = progress.value.withLock { $0 }
        return (
            end.broken,
            "worlds: \(end.worlds), steps: \(end.steps), in \(ContinuousClock.now - start)"
        )
    }

    private final class Shared<Value: Sendable>: Sendable {
        let value: Mutex<Value>

        init(_ value: Value) { self.value = Mutex(value) }
    }

    private func work(
        in place: Place,
        since start: ContinuousClock.Instant,
        _ progress: Shared<Progress>
    ) async throws {
        while self.isAskedFor || ContinuousClock.now - start < Self.usualTime {
            let number = progress.value.withLock { progress in
                defer { progress.next += 1 }
                return progress.broken.count < Self.mostBroken ? progress.next : self.count
            }
            guard number < self.count else { return }
            let history = History(seed: self.seed &+ number)
            let known = Set(progress.value.withLock { $0.broken.map(\.sort) })
            let failure = try await history.failure(in: place, known: known)
            if number % Self.worldsBetweenVacuums == 0 { _ = try await place.database.run(Self.vacuum) }
            progress.value.withLock { progress in
                progress.worlds += 1
                progress.steps += history.steps.count
                if let failure { progress.broken.append(failure) }
            }
        }
    }
}
