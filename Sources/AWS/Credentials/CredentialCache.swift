import FoundationEssentials
import Logging
import Synchronization

/// The credentials in use, renewed ahead of their expiry.
///
/// At most one renewal runs at a time; none that fails is the last. With less than 15 minutes left one caller renews
/// while the others go on with the old keys, and a failure only means another attempt a little later. With less than 10
/// minutes left everybody waits for the renewal; keys that have not expired are used even so if it fails.
final class CredentialCache: Sendable {
    private let provider: any CredentialProvider
    private let now: @Sendable () -> Date
    private let logger: Logger
    private let waiting = WaitingCalls<AWSCredentials>()
    private let state = Mutex(CredentialState())

    init(_ provider: any CredentialProvider, now: @escaping @Sendable () -> Date, logger: Logger) {
        self.provider = provider
        self.now = now
        self.logger = logger
    }

    /// Keys to sign with now.
    func current(deadline: ContinuousClock.Instant) async throws(AWSError) -> AWSCredentials {
        let now = self.now()
        let need = self.state.withLock { $0.need(at: now, nextTryIn: .random(in: 30...60)) }
        switch need {
        case .none(let known):
            return known
        case .renewal(let old):
            return try await self.renewed(insteadOf: old, deadline)
        }
    }

    /// AWS has refused these keys; unless others have come since, the next caller asks for new ones.
    func discard(_ refused: AWSCredentials?) {
        self.state.withLock { $0.discard(refused) }
    }

    private func renewed(
        insteadOf old: AWSCredentials?,
        _ deadline: ContinuousClock.Instant
    ) async throws(AWSError) -> AWSCredentials {
        do throws(AWSError) {
            return try await self.outcome(deadline)
        } catch {
            guard error.code != .cancelled, let old, let end = old.expiration, end > self.now() else {
                throw error
            }
            self.logger.warning(
                "credentials could not be renewed",
                metadata: ["error": "\(error)"]
            )
            return old
        }
    }

    /// The outcome of the renewal under way, or of a new one.
    ///
    /// The renewal belongs to all who wait, so it runs in a task of its own, with a deadline of its own, and
    /// outlives the first of them.
    private func outcome(_ deadline: ContinuousClock.Instant) async throws(AWSError) -> AWSCredentials {
        try await self.waiting.outcome(of: "aws.credentials", deadline: deadline) { number in
            let isFirst = self.state.withLock { $0.wait(number) }
            if isFirst { Task { self.finish(with: await self.ask()) } }
        } abandon: { number, error in
            self.state.withLock { $0.remove(number) }
            return error
        }
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
        for number in self.state.withLock({ $0.finish(with: result) }) {
            self.waiting.finish(number, with: result)
        }
    }
}
