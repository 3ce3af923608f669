import HTTP
import Synchronization

/// Calls that wait for a result which comes about for several of them at once.
///
/// The deadline or the cancellation of one ends its wait alone.
final class WaitingCalls<Output: Sendable>: Sendable {
    typealias Outcome = Result<Output, AWSError>

    private struct State {
        var last = 0
        var continuations: [Int: CheckedContinuation<Outcome, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Waits until `finish` is called with the number that `begin` gets, or until time is up.
    ///
    /// - Parameters:
    ///   - operation: What errors call it.
    ///   - deadline: When to give up.
    ///   - begin: Gets the number of this wait and asks for the result.
    ///   - abandon: Gets the number of a wait that ends early, and the error; returns what the caller has to hear.
    /// - Returns: The result.
    func outcome(
        of operation: String,
        deadline: ContinuousClock.Instant,
        begin: (Int) -> Void,
        abandon: @escaping @Sendable (Int, AWSError) -> AWSError
    ) async throws(AWSError) -> Output {
        let number = self.newNumber()
        let giveUp: @Sendable (AWSError.Code, String) -> Void = { code, message in
            let error = abandon(number, AWSError(code: code, operation: operation, message: message))
            self.finish(number, with: .failure(error))
        }
        let alarm = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            giveUp(.deadlineExceeded, "no answer came in time")
        }
        defer { alarm.cancel() }
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.state.withLock { $0.continuations[number] = continuation }
                begin(number)
                // Either may have come before there was anybody to tell.
                if Task.isCancelled { giveUp(.cancelled, "the task was cancelled") }
                if deadline.remaining <= .zero { giveUp(.deadlineExceeded, "no time was left") }
            }
        } onCancel: {
            giveUp(.cancelled, "the task was cancelled")
        }.get()
    }

    /// Tells the result to the one who waits for it, if anybody still does.
    func finish(_ number: Int, with outcome: Outcome) {
        let continuation = self.state.withLock { $0.continuations.removeValue(forKey: number) }
        continuation?.resume(returning: outcome)
    }

    /// Whether anybody still waits for this result.
    func isAwaited(_ number: Int) -> Bool { self.state.withLock { $0.continuations[number] != nil } }

    private func newNumber() -> Int {
        self.state.withLock { state in
            state.last += 1
            return state.last
        }
    }
}
