import HTTP
import Logging
import Synchronization

/// The way to the API server that is in use, renewed when it is old or was refused.
///
/// At most one renewal runs at a time, and all who ask meanwhile get its outcome.
final class AccessCache: Sendable {
    /// A way, and which one it is of all that have been found.
    struct Held: Sendable {
        var access: ClusterAccess
        let serial: Int
    }

    private let provider: any AccessProvider
    private let logger: Logger
    private let state = Mutex(AccessState())

    init(_ provider: any AccessProvider, logger: Logger) {
        self.provider = provider
        self.logger = logger
    }

    /// A way to use now; errors bear the name of the operation that they stop.
    func current(
        deadline: ContinuousClock.Instant,
        for operation: String
    ) async throws(KubernetesError) -> Held {
        if let held = self.state.withLock({ $0.current(at: .now) }) { return held }
        do throws(KubernetesError) {
            return try await self.outcome(deadline).get()
        } catch {
            var error = error
            error.message = "\(error.operation): \(error.message)"
            error.operation = operation
            throw error
        }
    }

    /// A server has complained about this way.
    func discard(_ used: Held?, because complaint: AccessComplaint) {
        self.state.withLock { $0.discard(used, because: complaint) }
    }

    /// The outcome of the renewal under way, or of a new one; cancellation and deadline end the wait alone.
    ///
    /// The renewal belongs to all who wait, so it runs in a task of its own, with a deadline of its own, and
    /// outlives the first of them.
    private func outcome(_ deadline: ContinuousClock.Instant) async -> Result<Held, KubernetesError> {
        let id = self.state.withLock { $0.newWaiter() }
        let alarm = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.giveUp(id, .deadlineExceeded, "no token came in time")
        }
        defer { alarm.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isFirst = self.state.withLock { $0.wait(id, continuation) }
                if isFirst { Task { await self.renew() } }
                // Either may have come before there was anybody waiting.
                if Task.isCancelled { self.giveUp(id, .cancelled, "the task was cancelled") }
                if deadline.remaining <= .zero { self.giveUp(id, .deadlineExceeded, "no time was left") }
            }
        } onCancel: {
            self.giveUp(id, .cancelled, "the task was cancelled")
        }
    }

    private func renew() async {
        let complaint = self.state.withLock { $0.complaint }
        let result = await self.ask(after: complaint)
        if case .failure(let error) = result {
            self.logger.warning(
                "access to Kubernetes could not be renewed",
                metadata: ["error": "\(error)"]
            )
        }
        let (waiters, outcome) = self.state.withLock {
            $0.finish(with: result, nextTry: .now.advanced(by: .seconds(10)))
        }
        for waiter in waiters { waiter.resume(returning: outcome) }
    }

    private func ask(after complaint: AccessComplaint?) async -> Result<ClusterAccess, KubernetesError> {
        do throws(KubernetesError) {
            return .success(
                try await self.provider.access(after: complaint, deadline: .now.advanced(by: .seconds(60)))
            )
        } catch {
            // Files were in order at the start; now one may be half written.
            var error = error
            if error.code == .configuration { error.code = .credentials }
            return .failure(error)
        }
    }

    private func giveUp(_ id: UInt64, _ code: KubernetesError.Code, _ message: String) {
        let waiter = self.state.withLock { $0.remove(id) }
        waiter?.resume(
            returning: .failure(
                KubernetesError(code: code, operation: "kubernetes.access", message: message)
            )
        )
    }
}
