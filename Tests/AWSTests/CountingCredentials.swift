import Foundation
import Synchronization

@testable import AWS

/// Gives `AKID1`, `AKID2` and so on, and fails where the script says so.
final class CountingCredentials: CredentialProvider {
    private let count = Mutex(0)
    private let lifetimes: [TimeInterval?]
    private let start: Date

    /// The n-th answer lives as long as the n-th lifetime, in seconds from `start`, says; nil fails.
    ///
    /// Later ones never expire.
    init(_ lifetimes: [TimeInterval?] = [], start: Date = Date()) {
        self.lifetimes = lifetimes
        self.start = start
    }

    var calls: Int { self.count.withLock { $0 } }

    func credentials(deadline: ContinuousClock.Instant) async throws(AWSError) -> CredentialAnswer {
        let number = self.count.withLock { count in
            count += 1
            return count
        }
        await Task.yield()
        guard number <= self.lifetimes.count else {
            return .found(AWSCredentials(accessKeyID: "AKID\(number)", secretAccessKey: "s"))
        }
        guard let lifetime = self.lifetimes[number - 1] else {
            throw AWSError(code: .credentials, operation: "test", message: "no luck")
        }
        return .found(
            AWSCredentials(
                accessKeyID: "AKID\(number)",
                secretAccessKey: "s",
                sessionToken: nil,
                expiration: self.start.addingTimeInterval(lifetime)
            )
        )
    }
}
