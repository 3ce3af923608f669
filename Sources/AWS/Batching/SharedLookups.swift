import Synchronization

/// Merges look-ups of single things into one call when several are asked for at a time.
///
/// One that comes alone goes out at once, in its caller's task. Those that come while it is under way wait until it ends,
/// or for the window if that is sooner, and go together; so each call begins after all who share it have asked,
/// and nobody sees an older state than alone. A shared call belongs to all of them, so it runs in a task of its own.
final class SharedLookups<ID: ResourceIdentifier, Item: Sendable>: Sendable {
    /// Says of each id what it stands for, that there is nothing (nil), or why that is not known.
    typealias Lookup =
        @Sendable ([ID], ContinuousClock.Instant) async -> [ID: Result<Item?, AWSError>]

    private struct State {
        var underWay = 0
        var gathered: [Int: (id: ID, deadline: ContinuousClock.Instant)] = [:]
    }

    private let operation: String
    private let window: @Sendable () -> Duration
    private let waiting = WaitingCalls<Item?>()
    private let state = Mutex(State())

    /// - Parameters:
    ///   - operation: What errors call it.
    ///   - window: Asked for the longest that the next ones wait for each other.
    init(of operation: String, window: @escaping @Sendable () -> Duration) {
        self.operation = operation
        self.window = window
    }

    /// The thing of this id, or nil if there is none; `look` is called with this id alone or with those of others too.
    func item(
        _ id: ID,
        deadline: ContinuousClock.Instant,
        look: @escaping Lookup
    ) async throws(AWSError) -> Item? {
        guard !self.beginAlone() else {
            defer { self.end(look) }
            return try await look([id], deadline)[id]?.get() ?? nil
        }
        return try await self.waiting.outcome(of: self.operation, deadline: deadline) { number in
            let isFirst = self.state.withLock { state in
                state.gathered[number] = (id, deadline)
                return state.gathered.count == 1
            }
            if isFirst { Task { await self.closeWindow(look) } }
        } abandon: { number, error in
            self.state.withLock { $0.gathered[number] = nil }
            return error
        }
    }

    /// How many wait for a call that has not begun.
    var gatheredCount: Int { self.state.withLock { $0.gathered.count } }

    private func beginAlone() -> Bool {
        self.state.withLock { state in
            guard state.underWay == 0 else { return false }
            state.underWay = 1
            return true
        }
    }

    private func end(_ look: @escaping Lookup) {
        self.state.withLock { $0.underWay -= 1 }
        self.sendGathered(look)
    }

    private func closeWindow(_ look: @escaping Lookup) async {
        try? await Task.sleep(for: self.window())
        self.sendGathered(look)
    }

    private func sendGathered(_ look: @escaping Lookup) {
        let gathered = self.state.withLock { state in
            defer { state.gathered = [:] }
            state.underWay += state.gathered.isEmpty ? 0 : 1
            return state.gathered
        }
        guard let deadline = gathered.values.map(\.deadline).max() else { return }
        Task {
            let outcomes = await look(Array(Set(gathered.values.map(\.id))), deadline)
            for (number, call) in gathered {
                self.waiting.finish(number, with: outcomes[call.id] ?? .success(nil))
            }
            self.end(look)
        }
    }
}
