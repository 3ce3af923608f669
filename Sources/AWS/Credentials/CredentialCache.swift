import FoundationEssentials
import Logging

/// The credentials in use, renewed ahead of their expiry. At most one renewal runs at a time; none that fails is
/// the last.
///
/// With less than 15 minutes left one caller renews while the others go on with the old keys, and a failure only
/// means another try a little later. With less than 10 minutes left everybody waits for the renewal; keys that have
/// not expired are used even so if it fails.
actor CredentialCache {
    private let provider: any CredentialProvider
    private let now: @Sendable () -> Date
    private let logger: Logger
    private var known: AWSCredentials?
    private var nextAdvisoryRenewal: Date = .distantPast
    private var renewal: Task<Void, Never>?
    private var waiters: [UInt64: CheckedContinuation<Result<AWSCredentials, AWSError>, Never>] = [:]
    private var lastWaiter: UInt64 = 0

    init(_ provider: any CredentialProvider, now: @escaping @Sendable () -> Date, logger: Logger) {
        self.provider = provider
        self.now = now
        self.logger = logger
    }

    /// Keys to sign with now.
    func current(deadline: ContinuousClock.Instant) async throws(AWSError) -> AWSCredentials {
        guard let known else { return try await self.renewed(deadline) }
        guard let expiration = known.expiration else { return known }
        let left = expiration.timeIntervalSince(self.now())
        if left > 15 * 60 { return known }
        if left > 10 * 60 {
            guard self.renewal == nil, self.now() >= self.nextAdvisoryRenewal else { return known }
            self.nextAdvisoryRenewal = self.now().addingTimeInterval(.random(in: 30...60))
        }
        do throws(AWSError) {
            return try await self.renewed(deadline)
        } catch {
            guard error.code != .cancelled, expiration > self.now() else { throw error }
            self.logger.warning(
                "credentials could not be renewed",
                metadata: ["error.description": "\(error)"]
            )
            return known
        }
    }

    /// AWS has refused these keys; unless others have come since, the next caller asks for new ones.
    func discard(_ refused: AWSCredentials?) {
        if refused == self.known { self.known = nil }
    }

    /// The outcome of the renewal under way, or of a new one; waiting ends when the task is cancelled.
    private func renewed(_ deadline: ContinuousClock.Instant) async throws(AWSError) -> AWSCredentials {
        self.lastWaiter += 1
        let id = self.lastWaiter
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.waiters[id] = continuation
                if Task.isCancelled { self.cancel(id) }
                self.startRenewal()
            }
        } onCancel: {
            Task { await self.cancel(id) }
        }
        return try result.get()
    }

    /// The renewal belongs to all who wait, so that it has a deadline of its own and outlives the first of them.
    private func startRenewal() {
        guard self.renewal == nil else { return }
        self.renewal = Task { self.finish(with: await self.ask()) }
    }

    private func ask() async -> Result<AWSCredentials, AWSError> {
        do throws(AWSError) {
            switch try await self.provider.credentials(deadline: .in(.seconds(20))) {
            case .found(let credentials): return .success(credentials)
            case .absent(let reasons): return .failure(.credentials("there are none: \(reasons)"))
            }
        } catch {
            return .failure(error)
        }
    }

    private func finish(with result: Result<AWSCredentials, AWSError>) {
        self.renewal = nil
        if case .success(let credentials) = result { self.known = credentials }
        for waiter in self.waiters.values { waiter.resume(returning: result) }
        self.waiters.removeAll()
    }

    private func cancel(_ id: UInt64) {
        self.waiters.removeValue(forKey: id)?.resume(
            returning: .failure(
                AWSError(code: .cancelled, operation: "aws.credentials", message: "the task was cancelled")
            )
        )
    }
}
