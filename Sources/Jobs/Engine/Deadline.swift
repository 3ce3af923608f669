import EventLoops

/// The attempt took longer than it may.
struct DeadlineExceeded: Error {}

/// Runs `body` and cancels it when its time is up; throws `DeadlineExceeded` then.
///
/// Returns only when `body` has: whatever it was doing is over.
func withDeadline<Value: Sendable>(
    of limit: Duration,
    on loop: EventLoop,
    _ body: @escaping @Sendable () async throws -> Value,
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask(executorPreference: loop) { try await body() }
        group.addTask(executorPreference: loop) {
            try await loop.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else { throw DeadlineExceeded() }
        return value
    }
}
